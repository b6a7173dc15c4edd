package main

import (
	"net/url"
	"path/filepath"
	"testing"

	"github.com/stellar/go-stellar-sdk/txnbuild"
)

// TestCrash kills windlass in the middle of a deposit and of a withdrawal,
// again and again, and starts it anew. Both must end as if nothing had
// happened: completed, and paid once.
func TestCrash(t *testing.T) {
	t.Parallel()
	t.Run("the anchor, beside a network that lives on", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		network := launch(t, "sandbox", "--dir", filepath.Join(dir, "network"), "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "500ms")
		ledger := network.told(t, `http://localhost:\d+`)
		begin := func(publicPort, adminPort string) (*program, addresses) {
			return dev(t, dir, "--public-port", publicPort, "--admin-port", adminPort, "--horizon", ledger)
		}
		first, at := begin("0", "0")
		crashStory(t, dir, first, at, func() *program {
			p, _ := begin(port(at.Public), port(at.Admin))
			return p
		})
	})
	t.Run("everything at once", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		first, at := dev(t, dir, "--public-port", "0", "--admin-port", "0", "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "500ms")
		crashStory(t, dir, first, at, func() *program {
			p, _ := dev(t, dir, "--public-port", port(at.Public), "--admin-port", port(at.Admin), "--horizon-port", port(at.Horizon), "--control", "127.0.0.1:0", "--close-every", "500ms")
			return p
		})
	})
}

func port(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Port()
}

// crashStory kills at every step of both flows.
func crashStory(t *testing.T, dir string, p *program, at addresses, restart func() *program) {
	t.Helper()
	mainJob(t, at, func() {
		p.kill()
		p = restart()
	})
	reconciles(t, dir, at)
	balanced(t, balanceOf(t, dir, at.Horizon))
}

// mainJob is a deposit of 100 and a withdrawal of 50. What disturb does happens
// at every step of both, and must change nothing: both end completed, and each
// was paid once, to the stroop.
func mainJob(t *testing.T, at addresses, disturb func()) {
	t.Helper()
	w := newWallet(t, at)

	deposit := w.begin("deposit", "100")
	disturb() // the session lives in the books
	deposit.agree("100")
	disturb()
	w.transfer("100", deposit.instruction("reference"))
	w.until(deposit.id, "pending_anchor", "pending_stellar", "completed")
	disturb() // funded, and perhaps signed, submitted or paid
	w.until(deposit.id, "pending_stellar", "completed")
	disturb()
	w.until(deposit.id, "completed")
	if got := w.balance(); got != "98.5000000" {
		t.Errorf("the ledger says %s, want 98.5000000", got)
	}

	withdrawal := w.begin("withdrawal", "50")
	withdrawal.agree("50", "bank_account_number", "777000999", "bank_name", "Far Bank")
	tx := w.until(withdrawal.id, "pending_user_transfer_start")
	disturb()
	w.submit(&txnbuild.Payment{Destination: tx.WithdrawAnchorAccount, Amount: "50", Asset: w.asset}, memoID(t, tx.WithdrawMemo))
	disturb()
	w.until(withdrawal.id, "pending_anchor", "pending_external", "completed")
	disturb()
	w.until(withdrawal.id, "pending_external", "completed")
	disturb()
	w.until(withdrawal.id, "completed")
	disturb()
	if got := w.balance(); got != "48.5000000" {
		t.Errorf("the ledger says %s, want 48.5000000", got)
	}
	var out []string
	for _, l := range w.statement() {
		if l.Direction == "out" {
			out = append(out, l.Amount+" "+l.State)
		}
	}
	if len(out) != 1 || out[0] != "47.75 settled" {
		t.Errorf("the bank paid %v, want 47.75 once", out)
	}
}
