package incoming_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/rig"
	"windlass/server/store"
)

// rows are the payments of a ledger transaction, in its operations' order.
func (w *world) rows(hash string, n int) (all []*anchor.Payment) {
	w.t.Helper()
	w.until("its operations are rows", func() bool {
		all = nil
		for _, p := range w.payments() {
			if p.Hash == hash {
				all = append(all, p)
			}
		}
		return len(all) >= n
	})
	return all
}

// Whatever brings money to us is a row, and what counts is what arrived.
func TestEveryKindOfPayment(t *testing.T) {
	w := newWorld(t)
	w.follow()
	us, ours, lumens := w.distribution.Address(), w.line(), txnbuild.NativeAsset{}
	pay := func(amount, to string) txnbuild.Operation {
		return &txnbuild.Payment{Destination: to, Asset: ours, Amount: amount}
	}
	one := func(op txnbuild.Operation) []txnbuild.Operation { return []txnbuild.Operation{op} }

	// 230 lumens were sent, and 100 of the asset arrived.
	send, sendMemo := w.withdrawal(soon())
	hash := w.do(w.customer, sendMemo, one(&txnbuild.PathPaymentStrictReceive{SendAsset: lumens, SendMax: "230", Destination: us, DestAsset: ours, DestAmount: "100"}))
	w.untilStatus(anchor.PendingAnchor, send)
	if p := w.rows(hash, 1)[0]; p.Amount != 100*anchor.One || p.Asset != w.asset {
		t.Errorf("%s of %s arrived", p.Amount, p.Asset)
	}
	// So much was sent that a wallet may have shown, and too little arrived.
	short, shortMemo := w.withdrawal(soon())
	hash = w.do(w.customer, shortMemo, one(&txnbuild.PathPaymentStrictSend{SendAsset: lumens, SendAmount: "100", Destination: us, DestAsset: ours, DestMin: "1"}))
	if p := w.rows(hash, 1)[0]; p.Amount != 50*anchor.One || p.Reason != string(anchor.Short) || p.Transaction != short {
		t.Errorf("%s arrived, and it is %q", p.Amount, p.Reason)
	}

	// Several operations in one transaction, to muxed addresses, from one, and not to us.
	a, aMemo := w.withdrawal(soon())
	b, bMemo := w.withdrawal(soon())
	hash = w.do(w.customer, nil, []txnbuild.Operation{
		pay("100", muxed(us, uint64(aMemo))), pay("1", w.issuer.Address()), pay("100", muxed(us, uint64(bMemo))), pay("2", us),
		&txnbuild.Payment{SourceAccount: muxed(w.customer.Address(), 5), Destination: us, Asset: ours, Amount: "3"},
	})
	w.untilStatus(anchor.PendingAnchor, a, b)
	rows := w.rows(hash, 4)
	for i, want := range []struct {
		transaction, reason string
		from                anchor.Address
	}{
		{a, "", anchor.Address(w.customer.Address())}, {b, "", anchor.Address(w.customer.Address())},
		{"", anchor.NoMemo, anchor.Address(w.customer.Address())}, {"", anchor.NoMemo, anchor.Address(muxed(w.customer.Address(), 5))},
	} {
		if p := rows[i]; p.Transaction != want.transaction || p.Reason != want.reason || p.From != want.from {
			t.Errorf("row %d is %+v", i, p)
		}
	}

	// A fee bump: the row has the hash that the ledger lists, and somebody else paid the fee.
	bumped, bumpedMemo := w.withdrawal(soon())
	outer := w.bump(w.channel, w.customer, bumpedMemo, pay("100", us))
	w.untilStatus(anchor.PendingAnchor, bumped)
	if got := w.transaction(bumped).StellarID; got != outer {
		t.Errorf("it is known by %s, not %s", got, outer)
	}

	// A merge brings lumens, all that there are.
	gone := rig.NewKey(t)
	w.fund(gone)
	hash = w.do(gone, sendMemo, one(&txnbuild.AccountMerge{Destination: us}))
	if p := w.rows(hash, 1)[0]; p.Reason != anchor.UnknownOperation || p.Asset != anchor.Native || p.Amount != 10_000*anchor.One-1000 && p.Amount != 10_000*anchor.One-100 {
		t.Errorf("the merge is %+v", p)
	}
	w.balanced()
}

// bump has an account pay the fee of another's transaction.
func (w *world) bump(payer, source *keypair.Full, memo txnbuild.Memo, ops ...txnbuild.Operation) (hash string) {
	w.t.Helper()
	a, err := w.plain.Account(w.t.Context(), source.Address())
	must(w.t, err)
	inner, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: a.ID, Sequence: a.Sequence}, IncrementSequenceNum: true,
		Operations: ops, BaseFee: 100, Memo: memo, Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewInfiniteTimeout()},
	})
	must(w.t, err)
	inner, err = inner.Sign(passphrase, source)
	must(w.t, err)
	outer, err := txnbuild.NewFeeBumpTransaction(txnbuild.FeeBumpTransactionParams{Inner: inner, FeeAccount: payer.Address(), BaseFee: 200})
	must(w.t, err)
	outer, err = outer.Sign(passphrase, payer)
	must(w.t, err)
	text, err := outer.Base64()
	must(w.t, err)
	sub, err := w.plain.Submit(w.t.Context(), text)
	must(w.t, err)
	return sub.Hash
}

// What moves our money without being a payment is in the books all the same.
func TestWhatIsBesidePayments(t *testing.T) {
	w := newWorld(t)
	w.refundAll()
	us, them := w.distribution.Address(), w.customer.Address()
	foreign := rig.NewKey(t)
	w.fund(foreign)
	theirs := txnbuild.CreditAsset{Code: "ELSE", Issuer: foreign.Address()}
	again := txnbuild.CreditAsset{Code: "BACK", Issuer: w.issuer.Address()}
	for issuer, asset := range map[*keypair.Full]txnbuild.CreditAsset{foreign: theirs, w.issuer: again} {
		w.do(issuer, nil, []txnbuild.Operation{
			&txnbuild.SetOptions{SetFlags: []txnbuild.AccountFlag{txnbuild.AuthRevocable, txnbuild.AuthClawbackEnabled}},
			&txnbuild.ChangeTrust{SourceAccount: us, Line: asset.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit},
			&txnbuild.Payment{Destination: us, Asset: asset, Amount: "50"},
		}, w.distribution)
	}
	w.follow()
	w.balanced()
	before := w.sums()

	claim := func(from *keypair.Full, amount, to string) (hash, id string) {
		hash = w.do(from, txnbuild.MemoID(7), []txnbuild.Operation{&txnbuild.CreateClaimableBalance{Amount: amount, Asset: w.line(), Destinations: []txnbuild.Claimant{txnbuild.NewClaimant(to, nil)}}})
		return hash, w.claimable(to)
	}
	hash, id := claim(w.customer, "30", us)
	if p := w.rows(hash, 1)[0]; p.Reason != anchor.ToClaim || p.Amount != 0 || p.Asset != w.asset || p.State != anchor.Unmatched || p.Memo != anchor.IDMemo(7) || string(p.From) != them {
		t.Errorf("what we may claim is %+v", p)
	}
	w.balanced()
	if got := w.sums()["suspense USDW"]; got != 0 {
		t.Errorf("%s are in suspense before they have arrived", got)
	}
	hash = w.do(w.distribution, nil, []txnbuild.Operation{&txnbuild.ClaimClaimableBalance{BalanceID: id}})
	if p := w.rows(hash, 1)[0]; p.Reason != anchor.UnknownOperation || p.Amount != 30*anchor.One || p.State != anchor.Unmatched {
		t.Errorf("what we claimed is %+v", p)
	}
	claim(w.distribution, "5", them) // by somebody who has our key
	w.do(w.issuer, nil, []txnbuild.Operation{&txnbuild.Clawback{From: us, Amount: "11", Asset: again}})
	w.do(foreign, nil, []txnbuild.Operation{&txnbuild.Clawback{From: us, Amount: "12", Asset: theirs}})
	w.balanced()
	after := w.sums()
	for account, want := range map[string]string{
		"suspense USDW": "-25", "distribution USDW": "25", // 30 came, 5 went
		"issued BACK": "11", "distribution BACK": "-11",
		"suspense ELSE": "12", "distribution ELSE": "-12",
	} {
		if got := after[account] - before[account]; got.String() != want {
			t.Errorf("%s moved by %s, not %s", account, got, want)
		}
	}
	out, _, err := w.books.Outgoing(t.Context(), true, store.Page{Limit: 10})
	must(t, err)
	if len(out) != 2 || out[1].Amount != 5*anchor.One || out[1].Destination != them || out[0].Amount != 12*anchor.One {
		t.Errorf("what left without us is %+v", out)
	}
	for _, asset := range []anchor.Asset{{Scheme: anchor.Stellar, Code: "BACK", Issuer: w.issuer.Address()}, {Scheme: anchor.Stellar, Code: "ELSE", Issuer: foreign.Address()}} {
		a, err := w.plain.Account(t.Context(), us)
		must(t, err)
		if b, _ := a.Balance(asset); after["distribution "+asset.Code] != b.Amount {
			t.Errorf("the journal has %s %s, the ledger %s", after["distribution "+asset.Code], asset.Code, b.Amount)
		}
	}
}

// claimable finds what an account may claim.
func (w *world) claimable(by string) string {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.plain.URL()+"/claimable_balances?claimant="+by, nil)
	must(w.t, err)
	resp, err := http.DefaultClient.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(w.t, err)
	var page struct {
		Embedded struct {
			Records []struct {
				ID string `json:"id"`
			} `json:"records"`
		} `json:"_embedded"`
	}
	must(w.t, json.Unmarshal(body, &page))
	if len(page.Embedded.Records) == 0 {
		w.t.Fatalf("there is nothing to claim: %s", body)
	}
	return page.Embedded.Records[0].ID
}

// Fees that cannot be read keep nobody waiting: withdrawals are credited, and the
// ledger counts as read. Once they can be, they are booked, each once.
func TestFeesKeepNobodyWaiting(t *testing.T) {
	w := newWorld(t)
	repeat := func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.URL.Path != "/accounts/"+w.fee.Address()+"/transactions" {
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		body := `{"_embedded":{"records":[`
		for i := range 200 {
			if i > 0 {
				body += ","
			}
			body += fmt.Sprintf(`{"hash":"%064d","successful":false,"ledger":1,"created_at":"2026-01-02T03:04:05Z","fee_account":%q,"fee_charged":"100","paging_token":"1"}`, i, w.customer.Address())
		}
		_, _ = io.WriteString(rw, body+`]}}`)
		return true
	}
	w.gate.Set(repeat)
	w.do(w.fee, nil, []txnbuild.Operation{&txnbuild.SetOptions{HomeDomain: new("example.com")}})
	in, _ := w.follow()
	w.untilRead()
	id, memo := w.withdrawal(soon())
	w.pay("100", memo)
	w.untilStatus(anchor.PendingAnchor, id)
	w.until("the fault is told", func() bool { return in.Status()[1].Fault != "" && in.Status()[1].Cursor.Ledger != 0 })
	if got := w.sums()["network_fees native"]; got != 0 {
		t.Errorf("%s was charged", got)
	}
	w.gate.Set(nil)
	w.until("the fees are booked", func() bool { return w.sums()["network_fees native"] == 100 })
	w.until("all is well", func() bool { return in.Status()[1].Fault == "" })
	w.balanced()
}

// One fee for each transaction, whoever books it and whatever hash it goes by.
func TestAFeeIsBookedOnce(t *testing.T) {
	w := newWorld(t)
	outer := w.bump(w.fee, w.customer, nil, &txnbuild.BumpSequence{BumpTo: 0})
	listed, err := w.plain.Transaction(t.Context(), outer)
	must(t, err)
	must(t, w.books.Update(t.Context(), store.Payouts, func(tx *store.Tx) error {
		return tx.NetworkFee(time.Now(), listed.Inner(), anchor.Amount(listed.FeeCharged))
	}))
	w.follow()
	w.balanced()
	if got := w.sums()["network_fees native"]; got != anchor.Amount(listed.FeeCharged) {
		t.Errorf("%s was charged", got)
	}
	err = w.books.Update(t.Context(), store.Ledger, func(tx *store.Tx) error {
		return tx.Post(time.Now(), anchor.Move("network_fee", "", listed.Inner(), anchor.Native, 1, anchor.Distribution, anchor.NetworkFees))
	})
	if anchor.KindOf(err) != anchor.Conflict {
		t.Errorf("a second entry is %v", err)
	}
}

// What is called like our asset and is somebody else's is worth nothing here: it is
// never taken, and never sent back by itself.
func TestTheSameCodeOfAnotherIssuer(t *testing.T) {
	w := newWorld(t)
	w.refundAll()
	w.follow()
	forger, us := w.sender(), w.distribution.Address()
	forged := txnbuild.CreditAsset{Code: w.asset.Code, Issuer: forger.Address()}
	id, memo := w.withdrawal(soon())
	hash := w.do(forger, memo, []txnbuild.Operation{
		&txnbuild.ChangeTrust{SourceAccount: us, Line: forged.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit},
		&txnbuild.Payment{Destination: us, Asset: forged, Amount: "100"},
	}, w.distribution)
	p := w.untilDecided(hash)
	if p.State != anchor.Unmatched || p.Reason != anchor.WrongAsset || len(w.intents(anchor.CausePayment, p.ID)) != 0 {
		t.Errorf("it is %+v", p)
	}
	if s := w.transaction(id).Status(); s != anchor.PendingUserTransferStart {
		t.Errorf("its transaction is %s", s)
	}
	w.untilRead()
	of := w.sums() // by code, so that both are in one sum
	if of["suspense USDW"] == 0 {
		t.Error("it is not in suspense")
	}
}
