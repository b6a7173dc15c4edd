package graph

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// The fields of what staff look at: payouts, orders, payments, lines of the
// statement, the journal and the audit trail.

// Detail is one detail of a person or an account.
type Detail struct{ Name, Value string }

// Payouts.

func (payout) Destination(_ context.Context, p *anchor.Payout) (string, error) {
	return string(p.Destination), nil
}

func (payout) Purpose(_ context.Context, p *anchor.Payout) (string, error) {
	return string(p.Purpose), nil
}

func (payout) Operation(_ context.Context, p *anchor.Payout) (string, error) {
	return string(p.Operation), nil
}

func (payout) Balance(_ context.Context, p *anchor.Payout) (*string, error) {
	return filled(p.ResultID), nil
}

func (payout) Reason(_ context.Context, p *anchor.Payout) (*string, error) {
	return filled(p.Reason), nil
}

func (payout) RequestedBy(_ context.Context, p *anchor.Payout) (*string, error) {
	return filled(p.RequestedBy), nil
}

func (payout) Hash(ctx context.Context, p *anchor.Payout) (*string, error) {
	if p.Envelope == "" {
		return nil, nil
	}
	hash, err := loadersOf(ctx).hashes.Load(ctx, p.Envelope)
	return filled(hash), err
}

func (payout) Transaction(_ context.Context, p *anchor.Payout) (*string, error) {
	return causeID(anchor.CauseTransaction, p.CauseKind, p.CauseID), nil
}

func (payout) Payment(_ context.Context, p *anchor.Payout) (*string, error) {
	return causeID(anchor.CausePayment, p.CauseKind, p.CauseID), nil
}

func causeID(want, kind anchor.Cause, id string) *string {
	if kind != want {
		return nil
	}
	return filled(id)
}

// Orders to the bank.

func (bankPayout) Purpose(_ context.Context, p *anchor.BankPayout) (string, error) {
	return string(p.Purpose), nil
}

func (bankPayout) To(_ context.Context, p *anchor.BankPayout) ([]*Detail, error) {
	var all []*Detail
	for _, name := range slices.Sorted(maps.Keys(p.To)) {
		all = append(all, &Detail{name, p.To[name]})
	}
	return all, nil
}

func (bankPayout) Reason(_ context.Context, p *anchor.BankPayout) (*string, error) {
	return filled(p.Reason), nil
}

func (bankPayout) BankID(_ context.Context, p *anchor.BankPayout) (*string, error) {
	return filled(p.BankID), nil
}

func (bankPayout) AskedUntil(_ context.Context, p *anchor.BankPayout) (*time.Time, error) {
	return timeOrNone(p.AskedUntil), nil
}

func (bankPayout) RequestedBy(_ context.Context, p *anchor.BankPayout) (*string, error) {
	return filled(p.RequestedBy), nil
}

func (bankPayout) Retries(_ context.Context, p *anchor.BankPayout) (*string, error) {
	return filled(p.Retries), nil
}

func (bankPayout) ReplacedBy(ctx context.Context, p *anchor.BankPayout) (*string, error) {
	all, err := loadersOf(ctx).orders.Load(ctx, cause{p.CauseKind, p.CauseID})
	for _, o := range all {
		if o.Retries == p.ID {
			return &o.ID, nil
		}
	}
	return nil, err
}

func (bankPayout) Transaction(_ context.Context, p *anchor.BankPayout) (*string, error) {
	return causeID(anchor.CauseTransaction, p.CauseKind, p.CauseID), nil
}

func (bankPayout) Line(_ context.Context, p *anchor.BankPayout) (*string, error) {
	return causeID(anchor.CauseLine, p.CauseKind, p.CauseID), nil
}

// Payments.

func (payment) From(_ context.Context, p *anchor.Payment) (string, error) {
	return string(p.From), nil
}

func (payment) Asset(_ context.Context, p *anchor.Payment) (*anchor.Asset, error) {
	return assetOrNone(p.Asset), nil
}

func assetOrNone(a anchor.Asset) *anchor.Asset {
	if a == (anchor.Asset{}) {
		return nil
	}
	return &a
}

func (payment) Memo(_ context.Context, p *anchor.Payment) (*string, error) {
	return filled(p.Memo.Value), nil
}

func (payment) Reason(_ context.Context, p *anchor.Payment) (*string, error) {
	return filled(p.Reason), nil
}

func (payment) Transaction(_ context.Context, p *anchor.Payment) (*string, error) {
	return filled(p.Transaction), nil
}

func (payment) PolicyAt(_ context.Context, p *anchor.Payment) (*time.Time, error) {
	return policyAt(p.State, p.DecideAt), nil
}

// policyAt is nil for what is decided.
func policyAt(state anchor.Match, at time.Time) *time.Time {
	if state != anchor.Unmatched {
		return nil
	}
	return timeOrNone(at)
}

func timeOrNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (payment) Refund(ctx context.Context, p *anchor.Payment) (*anchor.Payout, error) {
	return last(loadersOf(ctx).payouts.Load(ctx, cause{anchor.CausePayment, p.ID}))
}

// last is nil of nothing.
func last[T any](all []*T, err error) (*T, error) {
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[len(all)-1], nil
}

// Lines of the bank's statement.

func (bankLine) Asset(_ context.Context, l *anchor.BankLine) (*anchor.Asset, error) {
	return assetOrNone(l.Asset), nil
}

func (bankLine) Reference(_ context.Context, l *anchor.BankLine) (*string, error) {
	return filled(l.Reference), nil
}

func (bankLine) PayerName(_ context.Context, l *anchor.BankLine) (*string, error) {
	return filled(l.PayerName), nil
}

func (bankLine) PayerAccount(_ context.Context, l *anchor.BankLine) (*string, error) {
	return filled(l.PayerAccount), nil
}

func (bankLine) Reason(_ context.Context, l *anchor.BankLine) (*string, error) {
	return filled(l.Reason), nil
}

func (bankLine) Transaction(_ context.Context, l *anchor.BankLine) (*string, error) {
	return filled(l.Transaction), nil
}

func (bankLine) Order(_ context.Context, l *anchor.BankLine) (*string, error) {
	return filled(l.Order), nil
}

func (bankLine) ConfirmedBy(_ context.Context, l *anchor.BankLine) (*string, error) {
	return filled(l.ConfirmedBy), nil
}

func (bankLine) PolicyAt(_ context.Context, l *anchor.BankLine) (*time.Time, error) {
	return policyAt(l.State, l.DecideAt), nil
}

func (bankLine) Refund(ctx context.Context, l *anchor.BankLine) (*anchor.BankPayout, error) {
	return last(loadersOf(ctx).orders.Load(ctx, cause{anchor.CauseLine, l.ID}))
}

// What left and the books did not know.

func (outgoing) Asset(_ context.Context, o *anchor.Outgoing) (*anchor.Asset, error) {
	return assetOrNone(o.Asset), nil
}

func (outgoing) Memo(_ context.Context, o *anchor.Outgoing) (*string, error) {
	return filled(o.Memo.Value), nil
}

func (outgoing) Explained(_ context.Context, o *anchor.Outgoing) (*anchor.Explanation, error) {
	if o.Explained == "" {
		return nil, nil
	}
	return &o.Explained, nil
}

func (outgoing) Payout(_ context.Context, o *anchor.Outgoing) (*string, error) {
	return filled(o.Payout), nil
}

func (outgoing) ExplainedBy(_ context.Context, o *anchor.Outgoing) (*string, error) {
	return filled(o.By), nil
}

func (outgoing) ExplainedAt(_ context.Context, o *anchor.Outgoing) (*time.Time, error) {
	return timeOrNone(o.ByAt), nil
}

// The journal.

func (journalEntry) Reference(_ context.Context, e *store.JournalEntry) (*string, error) {
	return filled(e.Entry.Reference), nil
}

func (posting) Account(_ context.Context, p *anchor.Posting) (string, error) {
	return string(p.Account), nil
}

func (balance) Account(_ context.Context, b *store.Balance) (string, error) {
	return string(b.Account), nil
}

// The audit trail.

func (auditEntry) ID(_ context.Context, e *store.AuditEntry) (string, error) {
	return strconv.FormatInt(e.ID, 10), nil
}

func (auditEntry) Actor(_ context.Context, e *store.AuditEntry) (string, error) {
	return string(e.Actor), nil
}

func (auditEntry) Transaction(_ context.Context, e *store.AuditEntry) (*string, error) {
	return filled(e.Transaction), nil
}

func (auditEntry) Subject(_ context.Context, e *store.AuditEntry) (*string, error) {
	return filled(e.Subject), nil
}

func (auditEntry) From(_ context.Context, e *store.AuditEntry) (*anchor.Status, error) {
	return statusOrNone(e.From), nil
}

func (auditEntry) To(_ context.Context, e *store.AuditEntry) (*anchor.Status, error) {
	return statusOrNone(e.To), nil
}

func statusOrNone(s anchor.Status) *anchor.Status {
	if s == "" {
		return nil
	}
	return &s
}

func (auditEntry) Note(_ context.Context, e *store.AuditEntry) (*string, error) {
	return filled(e.Note), nil
}
