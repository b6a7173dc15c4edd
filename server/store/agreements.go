package store

import (
	"context"

	"windlass/server/anchor"
)

// Agreement is a transaction that somebody agreed to, and what they entered for it.
type Agreement struct {
	*anchor.Transaction
	Details
}

// maxAgreements bounds how far is looked back for what somebody used.
const maxAgreements = 30

// Agreements reads what somebody agreed to, in whichever wallet, with the bank moving
// that money, newest first. What they are offered again is found there, so that
// there is no second copy of it.
func (s *Store) Agreements(ctx context.Context, owner anchor.Identity, offChain anchor.Asset) ([]Agreement, error) {
	return agreements(s.reader(ctx), owner, offChain)
}

// Agreements is [Store.Agreements] within an update.
func (t *Tx) Agreements(owner anchor.Identity, offChain anchor.Asset) ([]Agreement, error) {
	return agreements(t, owner, offChain)
}

func agreements(src source, owner anchor.Identity, offChain anchor.Asset) ([]Agreement, error) {
	all, err := list(src, scanTransaction, `SELECT `+transactionColumns+` FROM transactions
		WHERE owner_account = $1 AND owner_memo = $2 AND owner_muxed = $3 AND off_chain = $4 AND agreed_at <> 0
		ORDER BY id DESC LIMIT $5`, owner.Account, owner.Memo, owner.Muxed, offChain.String(), maxAgreements)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	ids := make([]string, len(all))
	for i, t := range all {
		ids[i] = t.ID
	}
	each, err := detailsOf(src, ids...)
	found := make([]Agreement, len(all))
	for i, t := range all {
		found[i] = Agreement{t, each[t.ID]}
	}
	return found, err
}
