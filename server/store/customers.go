package store

import (
	"context"
	"strings"
	"time"

	"windlass/server/anchor"
)

const customerColumns = `id, owner_account, owner_memo, owner_muxed, review, vetted, lang, fields_box, created_at, updated_at`

func scanCustomer(r scanner, k *Keys) (*anchor.Customer, error) {
	var (
		c                anchor.Customer
		box              []byte
		created, updated int64
	)
	if err := r.Scan(&c.ID, &c.Owner.Account, &c.Owner.Memo, &c.Owner.Muxed, &c.Review, &c.Vetting, &c.Lang, &box, &created, &updated); err != nil {
		return nil, err
	}
	c.CreatedAt, c.UpdatedAt = instant(created), instant(updated)
	return &c, k.open("customers:"+c.ID, box, &c.Fields)
}

func customerOf(src source, owner anchor.Identity) (*anchor.Customer, error) {
	return one(src, "customer", scanCustomer, `SELECT `+customerColumns+` FROM customers
		WHERE owner_account = $1 AND owner_memo = $2 AND owner_muxed = $3`, owner.Account, owner.Memo, owner.Muxed)
}

// CustomerOf loads the customer behind an identity; none is NotFound.
func (t *Tx) CustomerOf(owner anchor.Identity) (*anchor.Customer, error) { return customerOf(t, owner) }

// CustomerOf reads the customer behind an identity; none is NotFound.
func (s *Store) CustomerOf(ctx context.Context, owner anchor.Identity) (*anchor.Customer, error) {
	return customerOf(s.reader(ctx), owner)
}

// CustomersOfEach reads the customers behind many identities at once, whatever
// their clients; whoever has none is left out.
func (s *Store) CustomersOfEach(ctx context.Context, owners []anchor.Identity) (map[anchor.Identity]*anchor.Customer, error) {
	var w where
	for _, o := range owners {
		w.add(`(?, ?, ?)`, o.Account, o.Memo, o.Muxed)
	}
	all, err := list(s.reader(ctx), scanCustomer, numbered(`SELECT `+customerColumns+` FROM customers
		WHERE (owner_account, owner_memo, owner_muxed) IN (VALUES `+strings.Join(w.conditions, ", ")+`)`), w.args...)
	each := map[anchor.Identity]*anchor.Customer{}
	for _, o := range owners {
		for _, c := range all {
			if c.Owner.Account == o.Account && c.Owner.Memo == o.Memo && c.Owner.Muxed == o.Muxed {
				each[o] = c
			}
		}
	}
	return each, err
}

// SaveCustomer stores a new or changed customer, and erases the documents that are
// no longer their answers.
func (t *Tx) SaveCustomer(c *anchor.Customer) error {
	box, err := t.box().seal("customers:"+c.ID, c.Fields)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO customers (`+customerColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (id) DO UPDATE SET review = excluded.review, vetted = excluded.vetted, lang = excluded.lang,
		fields_box = excluded.fields_box, updated_at = excluded.updated_at`,
		c.ID, c.Owner.Account, c.Owner.Memo, c.Owner.Muxed, c.Review, c.Vetting, c.Lang, box, micros(c.CreatedAt), micros(c.UpdatedAt))
	if err != nil {
		return err
	}
	return t.dropFiles(c)
}

// HasPaid reports whether money ever came for a transaction of theirs.
func (t *Tx) HasPaid(owner anchor.Identity) (bool, error) {
	n, err := one(t, "count", func(r scanner, _ *Keys) (n int64, err error) { return n, r.Scan(&n) }, `SELECT COUNT(*) FROM (SELECT 1 FROM transactions
		WHERE owner_account = $1 AND owner_memo = $2 AND owner_muxed = $3 AND funded_at <> 0 LIMIT 1) AS paid`, owner.Account, owner.Memo, owner.Muxed)
	return n > 0, err
}

// forget erases what was entered for a transaction that was given up before
// anything was agreed to, and what is known of its customer if there is nothing
// else of theirs: neither one that is under way, nor one that they ever agreed to.
// The transaction itself stays, since no known one may become unknown to a wallet.
func (t *Tx) forget(a *anchor.Transaction) error {
	if _, err := t.exec(`DELETE FROM details WHERE transaction_id = $1`, a.ID); err != nil {
		return err
	}
	others, err := list(t, func(r scanner, _ *Keys) (id string, err error) { return id, r.Scan(&id) }, `SELECT id FROM transactions
		WHERE owner_account = $1 AND owner_memo = $2 AND owner_muxed = $3 AND id <> $4 AND (agreed_at <> 0 OR status <> 'expired') LIMIT 1`,
		a.Owner.Account, a.Owner.Memo, a.Owner.Muxed, a.ID)
	if err != nil || len(others) > 0 {
		return err
	}
	return t.forgetCustomer(a.Owner, a.UpdatedAt)
}

// forgetCustomer erases what somebody said of themselves.
func (t *Tx) forgetCustomer(owner anchor.Identity, now time.Time) error {
	c, err := t.CustomerOf(owner)
	if err != nil {
		if anchor.KindOf(err) == anchor.NotFound {
			return nil
		}
		return err
	}
	c.Fields, c.Lang, c.UpdatedAt = nil, "", now
	if c.Vetting == anchor.Vetted {
		c.Vetting = anchor.Unvetted
	}
	if c.Review != anchor.ReviewRejected { // who was refused shall not be asked again as if nothing had been
		c.Review = anchor.ReviewNone
	}
	return t.SaveCustomer(c)
}
