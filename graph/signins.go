package graph

import (
	"context"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// SignIn is how an account signed in first.
func (q query) SignIn(ctx context.Context, account string) (*store.SignIn, error) {
	in, err := q.Store.SignIn(ctx, account)
	if anchor.KindOf(err) == anchor.NotFound {
		return nil, nil
	}
	return in, err
}

// ForgetSignIn lets an account's next sign-in decide whether it is shared.
func (m mutation) ForgetSignIn(ctx context.Context, account, _ string, _ *string) (*store.SignIn, error) {
	account, err := m.act(ctx, func(tx *store.Tx, _ string, _ time.Time) (store.Act, error) {
		return store.Act{Subject: "account:" + account, Answer: account}, tx.ForgetSignIn(account)
	})
	if err != nil {
		return nil, err
	}
	return query(m).SignIn(ctx, account)
}
