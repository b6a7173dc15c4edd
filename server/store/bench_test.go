package store_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"windlass/server/anchor"
	"windlass/server/store"
)

// BenchmarkUpdate is what group commit is for: every update is on the disk
// before its caller goes on, and callers share the wait.
func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			books := newBooks(b)
			ctx := context.Background()
			var left atomic.Int64
			left.Store(int64(b.N))
			done := make(chan error, callers)
			b.ResetTimer()
			for range callers {
				go func() {
					var err error
					for err == nil && left.Add(-1) >= 0 {
						err = books.Update(ctx, store.Wallet, func(tx *store.Tx) error { return tx.CreateTransaction(start(anchor.Deposit)) })
					}
					done <- err
				}()
			}
			for range callers {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
		})
	}
}

// BenchmarkTransaction is what wallets poll.
func BenchmarkTransaction(b *testing.B) {
	for _, rows := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			books := newBooks(b)
			ctx := context.Background()
			ids := make([]string, 0, rows)
			for len(ids) < rows {
				books.do(b, func(tx *store.Tx) error {
					for range min(1000, rows-len(ids)) {
						a := start(anchor.Deposit)
						if err := tx.CreateTransaction(a); err != nil {
							return err
						}
						ids = append(ids, a.ID)
					}
					return nil
				})
			}
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i = (i + 7919) % rows {
					if _, err := books.Transaction(ctx, ids[i]); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
		})
	}
}
