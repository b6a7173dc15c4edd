package main

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stellar/go-stellar-sdk/txnbuild"
)

// TestCashThroughCrashes kills windlass again and again while a customer withdraws in
// cash. It is paid once; and the code, which is as good as the money, is in nothing
// that leaves the anchor but the customer's own page, nor in a file that is not
// the bank's.
func TestCashThroughCrashes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var heard bytes.Buffer // by the wallet
	wallet := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.Copy(&heard, r.Body) // a crash cuts it off
	}))
	t.Cleanup(wallet.Close)

	dir := t.TempDir()
	devOffersCash(t, dir)
	network := launch(t, "sandbox", "--dir", filepath.Join(dir, "network"), "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "500ms")
	ledger := network.told(t, `http://localhost:\d+`)
	p, at := dev(t, dir, "--public-port", "0", "--admin-port", "0", "--horizon", ledger)
	programs := []*program{p}
	disturb := func() {
		p.kill()
		p, _ = dev(t, dir, "--public-port", port(at.Public), "--admin-port", port(at.Admin), "--horizon", ledger)
		programs = append(programs, p)
	}

	w := newWallet(t, at)
	deposit := w.begin("deposit", "100")
	deposit.agree("100")
	w.transfer("100", deposit.instruction("reference"))
	w.until(deposit.id, "completed")

	opened, err := openPage(w.ask, at.Public, w.token, "withdrawal", map[string]string{"asset_code": w.asset.Code}, map[string]string{"on_change_callback": wallet.URL + "/"})
	if err != nil {
		t.Fatal(err)
	}
	cash := &page{opened, w}
	cash.agreeBy("cash", "50")
	tx := w.until(cash.id, "pending_user_transfer_start")
	w.submit(&txnbuild.Payment{Destination: tx.WithdrawAnchorAccount, Amount: "50", Asset: w.asset}, memoID(t, tx.WithdrawMemo))
	disturb()
	w.until(cash.id, "pending_user_transfer_complete")
	disturb()
	code := cash.code()
	told := fetchAs(t, at.Public+"/sep24/transaction?id="+cash.id, w.bearer()) + fetchAs(t, at.Public+"/sep24/transactions?asset_code="+w.asset.Code, w.bearer())
	if !strings.Contains(told, `"user_action_required_by"`) {
		t.Errorf("the wallet does not learn until when: %s", told)
	}
	eventually(t, "the wallet is called", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(heard.String(), "pending_user_transfer_complete")
	})
	reconciles(t, dir, at)
	balanced(t, balanceOf(t, dir, at.Horizon))

	for i, want := range []int{http.StatusCreated, http.StatusBadRequest} {
		if got := call(t, http.MethodPost, at.Public+"/bank/api/pickups", nil, map[string]string{"code": code}, nil); got != want {
			t.Errorf("the desk, time %d: %d", i+1, got)
		}
		disturb() // the bank has handed out what the books may not know of
	}
	w.until(cash.id, "completed")
	if got := cash.code(); got != "" {
		t.Error("the page still shows a code")
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
	reconciles(t, dir, at)
	balanced(t, balanceOf(t, dir, at.Horizon))

	p.kill()
	mu.Lock()
	defer mu.Unlock()
	where := map[string]string{"an answer of SEP-24": told, "a callback": heard.String()}
	for _, one := range programs {
		where["the log"] += one.log.String()
	}
	found := false
	files(t, dir, func(path, text string) {
		if strings.HasPrefix(filepath.Base(path), "bank.db") {
			found = found || strings.Contains(text, code)
		} else {
			where[path] = text
		}
	})
	if !found {
		t.Error("not even the bank's file has the code: this looks for the wrong thing")
	}
	for what, text := range where {
		if strings.Contains(text, code) {
			t.Errorf("the code is in %s", what)
		}
	}
}

// devOffersCash has the anchor of dev's folder pay withdrawals out in cash too.
func devOffersCash(t *testing.T, dir string) {
	t.Helper()
	if _, err := devFiles(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, configFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, "\n[[assets.withdraw.methods]]\nid = \"cash\"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// code is what the customer's page shows for the desk, "" if nothing lies ready.
func (p *page) code() string {
	p.w.t.Helper()
	var a struct {
		Transaction struct{ Pickup *struct{ Code string } }
	}
	p.must(`query($id: ID!) { transaction(id: $id) { pickup { code } } }`, map[string]any{"id": p.id}, &a)
	if a.Transaction.Pickup == nil {
		return ""
	}
	return a.Transaction.Pickup.Code
}

// files reads every file below a folder.
func files(t *testing.T, dir string, each func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		each(path, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
