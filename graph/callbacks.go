package graph

import (
	"context"
	"strconv"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// What staff see of messages to wallets, and do about them.

// Callbacks lists messages to wallets.
func (q query) Callbacks(ctx context.Context, state *store.MessageState, host *string, first int, after *string, oldestFirst bool) (*CallbackPage, error) {
	part, err := page(first, after, oldestFirst)
	if err != nil {
		return nil, err
	}
	all, err := paged(q.Store.Messages(ctx, orNone(state), orNone(host), part))
	loadersOf(ctx).aboutMessages(all.Nodes)
	return &CallbackPage{all}, err
}

// CallbackHosts lists the hosts that do not take them.
func (q query) CallbackHosts(ctx context.Context, first int, after *string, oldestFirst bool) (*CallbackHostPage, error) {
	part, err := page(first, after, oldestFirst)
	if err != nil {
		return nil, err
	}
	all, err := paged(q.Store.CallbackHosts(ctx, part))
	return &CallbackHostPage{all}, err
}

// RetryCallback sends a message again.
func (m mutation) RetryCallback(ctx context.Context, id, _ string, _ *string) (*store.Message, error) {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil, at("callback", &anchor.Error{Kind: anchor.NotFound, Code: "not_found", Message: "there is no such callback"})
	}
	_, err = m.act(ctx, func(tx *store.Tx, _ string, now time.Time) (store.Act, error) {
		message, err := tx.Message(number)
		if err != nil {
			return store.Act{}, at("callback", err)
		}
		return store.Act{Transaction: message.Transaction, Subject: "callback:" + id, Answer: id}, tx.RetryMessage(message, now)
	})
	if err != nil {
		return nil, err
	}
	return m.Store.Message(ctx, number)
}

func (staffView) Callbacks(ctx context.Context, v *StaffView) ([]*store.Message, error) {
	return loadersOf(ctx).messages.Load(ctx, v.of.ID)
}

func (callback) ID(_ context.Context, m *store.Message) (string, error) {
	return strconv.FormatInt(m.ID, 10), nil
}

func (callback) NextAt(_ context.Context, m *store.Message) (*time.Time, error) {
	if m.State != store.MessageDue {
		return nil, nil
	}
	return timeOrNone(m.NotBefore), nil
}

func (callback) EndedAt(_ context.Context, m *store.Message) (*time.Time, error) {
	return timeOrNone(m.EndedAt), nil
}

func (callback) Deliveries(ctx context.Context, m *store.Message) ([]*store.Delivery, error) {
	return loadersOf(ctx).deliveries.Load(ctx, m.ID)
}

// Actions are what may be done with a message.
func (callback) Actions(_ context.Context, m *store.Message) ([]Action, error) {
	if m.State == store.MessageDelivered {
		return nil, nil
	}
	return []Action{RetryCallback}, nil
}

func (delivery) Milliseconds(_ context.Context, d *store.Delivery) (int, error) {
	return int(d.Took.Milliseconds()), nil
}

func (callbackHost) RestUntil(_ context.Context, h *store.CallbackHost) (*time.Time, error) {
	return timeOrNone(h.RestUntil), nil
}
