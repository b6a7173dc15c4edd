package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
)

// devOffers has the anchor of dev's folder offer another asset, and settings at
// the top, and says which key its distribution account has.
func devOffers(t *testing.T, dir, settings, asset string) *keypair.Full {
	t.Helper()
	if _, err := devFiles(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, configFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(settings+string(text)+asset), 0o600); err != nil {
		t.Fatal(err)
	}
	seed, err := os.ReadFile(filepath.Join(dir, "secrets", "distribution_seed"))
	if err != nil {
		t.Fatal(err)
	}
	return keypair.MustParseFull(strings.TrimSpace(string(seed)))
}

// TestBroker exchanges somebody else's asset. The anchor has no key of its
// issuer's, authorizes nobody, and pays from what it was sent.
func TestBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	issuer, treasury := keypair.MustRandom(), keypair.MustRandom()
	ours := devOffers(t, dir, "accounts = [\""+treasury.Address()+"\"]\n", `
[[assets]]
code = "USDC"
issuer = "`+issuer.Address()+`"
off_chain = "iso4217:USD"
third_party = true

[assets.deposit]
min = "5"
max = "10000"
fee_fixed = "1"
fields = ["first_name", "last_name", "email_address"]
review = "none"
[[assets.deposit.methods]]
id = "bank_transfer"

[assets.withdraw]
min = "5"
max = "10000"
fee_fixed = "2"
fields = ["first_name", "last_name", "email_address"]
review = "none"
[[assets.withdraw.methods]]
id = "bank_transfer"
fields = ["bank_account_number"]
`)
	network := launch(t, "sandbox", "--dir", filepath.Join(dir, "network"), "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "200ms")
	_, at := dev(t, dir, "--public-port", "0", "--admin-port", "0", "--horizon", network.told(t, `http://localhost:\d+`))

	for _, key := range []*keypair.Full{issuer, treasury} {
		call(t, "GET", at.Horizon+"/friendbot?addr="+key.Address(), nil, nil, nil)
	}
	w := newWallet(t, at)
	if w.asset.Code != "USDC" || w.asset.Issuer != issuer.Address() {
		t.Fatalf("stellar.toml ends with %v", w.asset)
	}
	as := func(key *keypair.Full, ops ...txnbuild.Operation) {
		t.Helper()
		other := &wallet{t: t, at: at, key: key, asset: w.asset}
		for _, op := range ops {
			other.submit(op, nil)
		}
	}
	trust := &txnbuild.ChangeTrust{Line: w.asset.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit}
	as(treasury, trust)
	as(ours, trust)
	as(issuer, &txnbuild.Payment{Destination: treasury.Address(), Amount: "5000", Asset: w.asset},
		&txnbuild.Payment{Destination: w.key.Address(), Amount: "7", Asset: w.asset})
	as(treasury, &txnbuild.Payment{Destination: ours.Address(), Amount: "1000", Asset: w.asset})

	deposit := w.begin("deposit", "100")
	deposit.agree("100")
	w.transfer("100", deposit.instruction("reference"))
	if got := w.until(deposit.id, "completed"); got.AmountOut != "99" || w.balance() != "106.0000000" {
		t.Errorf("the deposit: %+v, and %s", got, w.balance())
	}
	withdrawal := w.begin("withdrawal", "50")
	withdrawal.agree("50", "bank_account_number", "777000999")
	tx := w.until(withdrawal.id, "pending_user_transfer_start")
	w.submit(&txnbuild.Payment{Destination: tx.WithdrawAnchorAccount, Amount: "50", Asset: w.asset}, memoID(t, tx.WithdrawMemo))
	if got := w.until(withdrawal.id, "completed"); got.AmountOut != "48" || w.balance() != "56.0000000" {
		t.Errorf("the withdrawal: %+v, and %s", got, w.balance())
	}
	// What their issuer sends is a stranger's; how much there is of it is not ours
	// to compare.
	as(issuer, &txnbuild.Payment{Destination: ours.Address(), Amount: "3", Asset: w.asset})
	eventually(t, "the issuer's payment is in the books", func() bool {
		_, stdout, _ := compare(t, dir, at)
		return strings.Contains(stdout, "\nThe journal agrees.\n") && !strings.Contains(stdout, "not read yet")
	})
	v := balanced(t, balanceOf(t, dir, at.Horizon))
	if v.Deposits != 1 || v.Withdrawals != 1 {
		t.Errorf("%+v", v)
	}
	_, stdout, _ := compare(t, dir, at)
	for line := range strings.Lines(stdout) {
		if strings.HasPrefix(line, "issued") && strings.Contains(line, "USDC") {
			t.Errorf("what exists of somebody else's asset is compared: %s", line)
		}
	}
}

// TestLumens sells lumens to a customer who has no account yet, and buys them back.
// They are what the anchor pays its own costs with, too: nothing is counted twice.
func TestLumens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	devOffers(t, dir, "", `
[[assets]]
code = "native"
off_chain = "iso4217:USD"
decimals = 7
off_chain_decimals = 2

[assets.deposit]
price = "1"
min = "1.5"
max = "1000"
fee_fixed = "1"
fields = ["first_name", "last_name", "email_address"]
review = "none"
[[assets.deposit.methods]]
id = "bank_transfer"

[assets.withdraw]
price = "1"
min = "5"
max = "1000"
fee_fixed = "2"
fields = ["first_name", "last_name", "email_address"]
review = "none"
[[assets.withdraw.methods]]
id = "bank_transfer"
fields = ["bank_account_number"]
`)
	network := launch(t, "sandbox", "--dir", filepath.Join(dir, "network"), "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "200ms")
	_, at := dev(t, dir, "--public-port", "0", "--admin-port", "0", "--horizon", network.told(t, `http://localhost:\d+`))
	reconciles(t, dir, at)

	buys := func(amount string) (*wallet, string) {
		t.Helper()
		w := newStranger(t, at)
		if w.asset.Code != "native" || w.asset.Issuer != "" {
			t.Fatalf("stellar.toml ends with %v", w.asset)
		}
		deposit := w.begin("deposit", amount)
		deposit.agree(amount)
		w.transfer(amount, deposit.instruction("reference"))
		return w, deposit.id
	}
	w, bought := buys("100")
	if got := w.until(bought, "completed"); got.AmountOut != "99" || got.AmountOutAsset != "stellar:native" || w.balance() != "99.0000000" {
		t.Errorf("the deposit: %+v, and %s", got, w.balance())
	}
	// Too few to make an account wait for somebody who does.
	poor, little := buys("1.5")
	if got := poor.until(little, "pending_trust"); !strings.Contains(got.Message, "0.50 XLM cannot open it") {
		t.Errorf("the customer is told %q", got.Message)
	}
	w.submit(&txnbuild.CreateAccount{Destination: poor.key.Address(), Amount: "1"}, nil)
	if poor.until(little, "completed"); poor.balance() != "1.5000000" {
		t.Errorf("the one who bought few has %s", poor.balance())
	}

	// Half as much again as was agreed to is held. Staff give a part back, and the
	// rest is paid.
	withdrawal := w.begin("withdrawal", "40")
	withdrawal.agree("40", "bank_account_number", "777000999")
	tx := w.until(withdrawal.id, "pending_user_transfer_start")
	if page := fetch(t, tx.MoreInfoURL); !strings.Contains(page, "40.00 XLM") {
		t.Errorf("the page does not ask for 40 XLM: %s", page)
	}
	w.submit(&txnbuild.Payment{Destination: tx.WithdrawAnchorAccount, Amount: "60", Asset: txnbuild.NativeAsset{}}, memoID(t, tx.WithdrawMemo))
	w.until(withdrawal.id, "on_hold")
	staff := staffOf(t, dir, at)
	var asset struct {
		RefundTransaction struct {
			AssetIn struct {
				Code, ID string
				Issuer   *string
			}
		}
	}
	staff(`mutation { refundTransaction(transaction: "`+withdrawal.id+`", amount: "10", key: "part") { assetIn { code id issuer } } }`, &asset)
	if in := asset.RefundTransaction.AssetIn; in.Code != "XLM" || in.ID != "stellar:native" || in.Issuer != nil {
		t.Errorf("staff are told of %+v", in)
	}
	staff(`mutation { release(transaction: "`+withdrawal.id+`", key: "rest") { status } }`, nil)
	got := w.until(withdrawal.id, "completed")
	if got.AmountIn != "60" || got.AmountInAsset != "stellar:native" || got.AmountOut != "48" || got.Refunds.AmountRefunded != "10" {
		t.Errorf("the withdrawal: %+v", got)
	}
	eventually(t, "the part is back", func() bool { return w.balance() == "47.9999800" }) // less what the account and two fees cost
	if !slices.ContainsFunc(w.statement(), func(l struct{ ID, Direction, Amount, Reference, State string }) bool {
		return l.Direction == "out" && l.Amount == "48"
	}) {
		t.Errorf("the bank has booked %+v", w.statement())
	}
	var list struct{ Transactions []polled }
	call(t, http.MethodGet, at.Public+"/sep24/transactions?asset_code=native", w.bearer(), nil, &list)
	if len(list.Transactions) != 2 {
		t.Errorf("the wallet has %d transactions of lumens", len(list.Transactions))
	}

	// What nobody asked for is in suspense, and capital is what the anchor was given.
	w.submit(&txnbuild.Payment{Destination: tx.WithdrawAnchorAccount, Amount: "3", Asset: txnbuild.NativeAsset{}}, nil)
	reconciles(t, dir, at)
	if v := balanced(t, balanceOf(t, dir, at.Horizon)); v.Deposits != 2 || v.Withdrawals != 1 || v.Refunds != 1 || v.Open+v.Parked != 0 {
		t.Errorf("%+v", v)
	}
}

// staffOf signs Ana in to the anchor of a folder; what she asks must be answered.
func staffOf(t *testing.T, dir string, at addresses) (must func(query string, answer any)) {
	t.Helper()
	var link, problems bytes.Buffer
	if code := execute(t.Context(), process{[]string{"staff", "link", "Ana", "--config", filepath.Join(dir, configFile)}, nil, &link, &problems}); code != 0 {
		t.Fatalf("staff link: %d %s", code, &problems)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := asker(func(method, address string, header http.Header, body, answer any) error {
		return request(t.Context(), client, method, address, header, body, answer)
	})
	who, err := signInStaff(ask, at.Admin, strings.TrimSpace(link.String()))
	if err != nil {
		t.Fatal(err)
	}
	return func(query string, answer any) {
		t.Helper()
		if err := ask.graphql(at.Admin, who, query, nil, answer); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}
