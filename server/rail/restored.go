package rail

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// Books that were restored know neither what arrived at the bank since nor which
// orders it has carried out. What arrived the statement tells again. An order that
// they still have, or have made again of what arrived, has the name that it had:
// it is looked up, though it may never have been asked for. An order that they
// cannot name is a line of the bank's account, and for a person.

// namedMost is how many orders a pause names.
const namedMost = 5

// remember ends the pause of restored books once all that the bank knows is known,
// or names what is left for a person. The ledger comes first, because what
// arrived there makes orders.
func (e *Engine) remember(ctx context.Context, _ bool) error {
	pauses, err := e.Store.Pauses(ctx)
	if err != nil {
		return err
	}
	on := map[string]anchor.Pause{}
	for _, p := range pauses {
		on[p.Key] = p
	}
	restored, known := on[anchor.PausedRestoredBank]
	if _, named := on[anchor.PausedUnknownOrders]; on[anchor.PausedRestored].Key != "" || !known && !named {
		return nil
	}
	if read, _, err := e.Store.Cursor(ctx, Cursor); err != nil || read.ReadUntil.Before(restored.Since) {
		return err
	}
	looked, err := e.lookUpAll(ctx)
	if err != nil {
		return err
	}
	unknown, err := e.unknownOrders(ctx)
	if err != nil {
		return err
	}
	err = e.Store.Update(ctx, store.BankRail, func(tx *store.Tx) error {
		unasked, err := tx.BankPayoutsUnasked()
		if err != nil || slices.ContainsFunc(unasked, func(id string) bool { return !looked[id] }) {
			return err // one was made meanwhile
		}
		for key := range on {
			if key == anchor.PausedRestoredBank || key == anchor.PausedUnknownOrders && len(unknown) == 0 {
				if err := tx.Resume(key); err != nil {
					return err
				}
			}
		}
		if len(unknown) == 0 || !known {
			return nil
		}
		named := strings.Join(unknown[:min(len(unknown), namedMost)], ", ")
		return tx.Pause(anchor.PausedUnknownOrders, fmt.Sprintf("the bank has, or has carried out, %d orders that these books do not know: %s; its statement has the transaction that each was for as its reference", len(unknown), named), string(store.BankRail))
	})
	if err == nil && len(unknown) > 0 {
		err = fmt.Errorf("the bank has, or has carried out, orders that the books do not know: %s", strings.Join(unknown, ", "))
	}
	return err
}

// lookUpAll looks up every order that these books have never asked the bank for,
// and answers which those are. One that waits for a second person may have been let
// go by books that came after these.
func (e *Engine) lookUpAll(ctx context.Context) (map[string]bool, error) {
	var unasked []*anchor.BankPayout
	looked := map[string]bool{}
	for _, state := range []anchor.BankPayoutState{anchor.BankQueued, anchor.BankApproval} {
		some, err := e.Store.BankPayoutsDue(ctx, state, time.UnixMicro(math.MaxInt64), math.MaxInt32)
		if err != nil {
			return nil, err
		}
		for _, p := range some {
			looked[p.ID] = true
		}
		unasked = append(unasked, some...)
	}
	return looked, together(unasked, func(p *anchor.BankPayout) error {
		tr, err := e.lookup(ctx, p.ID)
		switch {
		case errors.Is(err, ErrNoLookup):
			return e.park(ctx, p.ID)
		case err != nil || tr.State == Missing:
			return err
		}
		return e.record(ctx, p.ID, tr)
	})
}

// unknownOrders names the orders that the bank has, or has carried out and kept, and
// that are not in the books.
func (e *Engine) unknownOrders(ctx context.Context) ([]string, error) {
	asking, cancel := context.WithTimeout(ctx, bankLimit)
	defer cancel()
	account, err := e.Rail.Account(asking, time.Time{})
	if err != nil {
		return nil, err
	}
	unknown := map[string]string{}
	for _, l := range slices.Concat(account.Lines, account.Open) {
		if l.Order == "" {
			continue
		}
		if l.Amount > 0 { // it came back
			delete(unknown, l.Order)
			continue
		}
		_, err := e.Store.BankPayout(ctx, l.Order)
		if anchor.KindOf(err) == anchor.NotFound {
			unknown[l.Order] = fmt.Sprintf("%s (%s %s of %s)", l.ID, -l.Amount, l.Asset.Code, l.At.Format(time.DateOnly))
		} else if err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Values(unknown)), nil
}
