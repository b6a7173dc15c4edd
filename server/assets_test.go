package main

import (
	"os"
	"path/filepath"
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
[[assets.deposit.methods]]
id = "bank_transfer"

[assets.withdraw]
min = "5"
max = "10000"
fee_fixed = "2"
fields = ["first_name", "last_name", "email_address"]
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
