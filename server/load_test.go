package main

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
)

// TestNoPollFails: wallets give up after one failed poll, so that none may fail,
// however many wallets poll while money moves.
func TestNoPollFails(t *testing.T) {
	t.Parallel()
	const wallets, flows = 200, 6
	_, at := dev(t, t.TempDir(), "--public-port", "0", "--admin-port", "0", "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "500ms")
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: wallets}}
	var polled, failed atomic.Int64
	var slowest atomic.Int64
	ask := func(w *wallet, path string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.Public+path, nil)
		if err != nil {
			t.Error(err)
			return
		}
		r.Header = w.bearer()
		begun := time.Now()
		res, err := client.Do(r)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
		polled.Add(1)
		if err != nil || res.StatusCode != http.StatusOK {
			if failed.Add(1) <= 5 {
				t.Errorf("GET %s: %v %v", path, res, err)
			}
		}
		for took := int64(time.Since(begun)); ; {
			if before := slowest.Load(); took <= before || slowest.CompareAndSwap(before, took) {
				return
			}
		}
	}

	over := make(chan struct{})
	var pollers sync.WaitGroup
	for range wallets {
		w := &wallet{t: t, at: at, key: keypair.MustRandom()}
		w.asset.Code = "USDW"
		w.signIn() // the account need not exist
		id := w.begin("deposit", "").id
		pollers.Go(func() {
			tick := time.NewTicker(time.Second / 2)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				case <-tick.C:
				}
				if ask(w, "/sep24/transaction?id="+id); n%5 == 0 {
					ask(w, "/sep24/transactions?asset_code=USDW&limit=10")
				}
			}
		})
	}
	t.Run("money moves", func(t *testing.T) {
		t.Run("main job", func(t *testing.T) {
			t.Parallel()
			mainJob(t, at, func() {})
		})
		for range flows {
			t.Run("deposit", func(t *testing.T) {
				t.Parallel()
				w := newWallet(t, at)
				p := w.begin("deposit", "20")
				p.agree("20")
				w.transfer("20", p.instruction("reference"))
				w.until(p.id, "completed")
			})
		}
	})
	close(over)
	pollers.Wait()
	t.Logf("%d wallets, %d polls, %d failed, the slowest took %s", wallets, polled.Load(), failed.Load(), time.Duration(slowest.Load()).Round(time.Millisecond))
	if failed.Load() > 0 || polled.Load() < wallets {
		t.Errorf("%d of %d polls failed", failed.Load(), polled.Load())
	}
}
