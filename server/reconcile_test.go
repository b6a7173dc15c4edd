package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
)

// compare runs windlass reconcile on dev's folder, beside whatever has it open.
func compare(t *testing.T, dir string, at addresses, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	args = append([]string{"reconcile", "--config", filepath.Join(dir, configFile)}, args...)
	code = execute(t.Context(), process{args, []string{"WINDLASS_NETWORK_HORIZON=" + at.Horizon}, &out, &problems})
	return code, out.String(), problems.String()
}

// reconciles waits until the books have everything, and agree at every look.
func reconciles(t *testing.T, dir string, at addresses) {
	t.Helper()
	eventually(t, "the journal agrees", func() bool {
		code, stdout, stderr := compare(t, dir, at)
		if code != 0 {
			t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
		}
		return strings.HasSuffix(stdout, "\nThe journal agrees.\n")
	})
}

// TestReconcile compares a fresh anchor after a deposit and a withdrawal: while
// it runs, when it is stopped, with money moved by hand, and without a network.
func TestReconcile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if code, _, stderr := compare(t, dir, addresses{}); code != 2 || !strings.Contains(stderr, "no such file") {
		t.Errorf("before the first start: %d %s", code, stderr)
	}
	net := launch(t, "sandbox", "--dir", filepath.Join(dir, "network"), "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "500ms")
	ledger := net.told(t, `http://localhost:\d+`)
	p, at := dev(t, dir, "--public-port", "0", "--admin-port", "0", "--horizon", ledger)
	w := newWallet(t, at)
	deposit := w.begin("deposit", "100")
	deposit.agree("100")
	w.transfer("100", deposit.instruction("reference"))
	w.until(deposit.id, "completed")
	withdrawal := w.begin("withdrawal", "50")
	withdrawal.agree("50", "bank_account_number", "777000999", "bank_name", "Far Bank")
	tx := w.until(withdrawal.id, "pending_user_transfer_start")
	w.submit(&txnbuild.Payment{Destination: tx.WithdrawAnchorAccount, Amount: "50", Asset: w.asset}, memoID(t, tx.WithdrawMemo))
	w.until(withdrawal.id, "completed")
	reconciles(t, dir, at)

	if code := p.stop(t); code != 0 {
		t.Fatalf("it ended with %d", code)
	}
	reconciles(t, dir, at)
	late := w.submit(&txnbuild.Payment{Destination: tx.WithdrawAnchorAccount, Amount: "3", Asset: w.asset}, nil)
	code, stdout, stderr := compare(t, dir, at)
	if code != 0 || stderr != "" || !strings.Contains(stdout, "3.0000000  a payment that the books have not read yet") || !strings.Contains(stdout, late) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}

	seed, err := os.ReadFile(filepath.Join(dir, "secrets", "distribution_seed"))
	if err != nil {
		t.Fatal(err)
	}
	byHand := &wallet{t: t, at: at, key: keypair.MustParseFull(strings.TrimSpace(string(seed))), asset: w.asset}
	hash := byHand.submit(&txnbuild.Payment{Destination: w.key.Address(), Amount: "0.0000001", Asset: w.asset}, nil)
	var report struct {
		Agrees bool
		Ledger uint32
	}
	code, stdout, stderr = compare(t, dir, at, "--json")
	if code != 1 || stderr != "" || json.Unmarshal([]byte(stdout), &report) != nil || report.Agrees || report.Ledger == 0 || !strings.Contains(stdout, `"difference": "-0.0000001"`) || !strings.Contains(stdout, hash) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, _ := compare(t, dir, at, "--explained", hash); code != 0 {
		t.Errorf("explained: %d\n%s", code, stdout)
	}

	net.kill()
	if code, stdout, stderr := compare(t, dir, at); code != 2 || stdout != "" || !strings.Contains(stderr, "the ledger cannot be asked") {
		t.Errorf("without a network: %d %s%s", code, stdout, stderr)
	}
	if err := os.Rename(filepath.Join(dir, "bank.db"), filepath.Join(dir, "gone.db")); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := compare(t, dir, at); code != 2 || !strings.Contains(stderr, "open the simulated bank") {
		t.Errorf("without a bank: %d %s", code, stderr)
	}
}
