package incoming_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
)

// What the sandbox cannot make and a real Horizon can send: operations of other
// kinds, and records that somebody crafted.
func TestRecordsOfAllKinds(t *testing.T) {
	w := newWorld(t)
	// What is judged below is a script's, which no ledger backs.
	w.config.Accounts = w.config.Accounts[:1]
	w.lumens()
	us, them := w.distribution.Address(), w.customer.Address()
	send, sendMemo := w.withdrawal(soon())
	crafted, craftedMemo := w.withdrawal(soon())

	ours := fmt.Sprintf(`"asset_type":"credit_alphanum4","asset_code":"USDW","asset_issuer":%q`, w.issuer.Address())
	payment := func(amount string) string {
		return fmt.Sprintf(`"type":"payment","from":%q,"to":%q,"amount":%s,%s`, them, us, amount, ours)
	}
	script := []struct {
		name   string
		body   string // of the record
		memo   txnbuild.MemoID
		state  anchor.Match
		reason string
		amount string
	}{
		{"a strict send that brought far less than it sent", fmt.Sprintf(`"type":"path_payment_strict_send","from":%q,"to":%q,"amount":"0.0000100",%s,"source_amount":"100.0000000","source_asset_type":"native"`, them, us, ours),
			craftedMemo, anchor.Unmatched, string(anchor.Short), "0.00001"},
		{"a strict send that brought what it should", fmt.Sprintf(`"type":"path_payment_strict_send","from":%q,"to":%q,"amount":"100.0000000",%s,"source_amount":"3.0000000","source_asset_type":"native"`, them, us, ours),
			sendMemo, anchor.Matched, "", "100"},
		{"an amount with an exponent", payment(`"1e400"`), craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "0"},
		{"an amount that is a number", payment(`100`), craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "0"},
		{"an amount that is too large", payment(`"99999999999999999999.0"`), craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "0"},
		{"one stroop beyond int64", payment(`"922337203685.4775808"`), craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "0"},
		{"less than nothing", payment(`"-100.0000000"`), sendMemo, anchor.Unmatched, anchor.UnknownOperation, "0"},
		{"eight decimals", payment(`"100.00000001"`), sendMemo, anchor.Unmatched, anchor.UnknownOperation, "0"},
		{"the asset's code of another issuer", fmt.Sprintf(`"type":"payment","from":%q,"to":%q,"amount":"100.0","asset_type":"credit_alphanum4","asset_code":"USDW","asset_issuer":%q`, them, us, them), sendMemo, anchor.Unmatched, anchor.WrongAsset, "100"},
		{"nothing", payment(`"0.0000000"`), craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "0"},
		{"an asset without a name", fmt.Sprintf(`"type":"payment","from":%q,"to":%q,"amount":"100.0","asset_type":"credit_alphanum4"`, them, us), craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "0"},
		{"a merge", fmt.Sprintf(`"type":"account_merge","account":%q,"into":%q`, them, us), craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "12.5"},
		{"a contract's transfer", fmt.Sprintf(`"type":"invoke_host_function","asset_balance_changes":[{"type":"transfer","from":%q,"to":%q,"amount":"7.0000000",%s}]`, them, us, ours), craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "7"},
		{"what a contract brought from nowhere", fmt.Sprintf(`"type":"invoke_host_function","asset_balance_changes":[{"type":"mint","to":%q,"amount":"9.0000000","asset_type":"native"}]`, us), craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "9"},
		{"an operation of the future", `"type":"teleport"`, craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "0"},
		{"a payment of a transaction that failed", `"transaction_successful":false,` + payment(`"100.0000000"`), craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "0"},
		{"a list where a text should be", `"type":["payment"]`, craftedMemo, anchor.Unmatched, anchor.UnknownOperation, "0"},
	}
	merge, err := xdr.MarshalBase64(xdr.TransactionResult{Result: xdr.TransactionResultResult{
		Code: xdr.TransactionResultCodeTxSuccess,
		Results: &[]xdr.OperationResult{{Code: xdr.OperationResultCodeOpInner, Tr: &xdr.OperationResultTr{Type: xdr.OperationTypeAccountMerge,
			AccountMergeResult: &xdr.AccountMergeResult{Code: xdr.AccountMergeResultCodeAccountMergeSuccess, SourceAccountBalance: new(xdr.Int64(125_000_000))}}}},
	}})
	must(t, err)
	var records []string
	id := func(i int) string { return fmt.Sprint(int64(3)<<32 | int64(i+1)<<12 | 1) }
	for i, s := range script {
		records = append(records, fmt.Sprintf(`{"id":%q,%s,"created_at":"2026-11-22T07:53:10Z","transaction_hash":%q,"transaction":{"memo_type":"id","memo":"%d","result_xdr":%q}}`,
			id(i), s.body, strings.Repeat("0", 62)+fmt.Sprintf("%02x", i), s.memo, merge))
	}
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if !strings.HasSuffix(r.URL.Path, "/payments") {
			return false
		}
		if r.Header.Get("Accept") == "text/event-stream" {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		page := strings.Join(records, ",")
		if r.URL.Query().Get("cursor") != "0" {
			page = ""
		}
		_, _ = fmt.Fprintf(rw, `{"_embedded":{"records":[%s]}}`, page)
		return true
	})
	w.follow()
	w.until("all are rows", func() bool { return len(w.payments()) == len(script) })
	for i, p := range w.payments() {
		s := script[i]
		if p.State != s.state || p.Reason != s.reason || p.Amount.String() != s.amount || p.ID != id(i) {
			t.Errorf("%s: %s, %q, %s", s.name, p.State, p.Reason, p.Amount)
		}
	}
	w.untilStatus(anchor.PendingAnchor, send)
	if s := w.transaction(crafted).Status(); s != anchor.PendingUserTransferStart {
		t.Errorf("the other is %s", s)
	}
	w.sums() // it balances
}
