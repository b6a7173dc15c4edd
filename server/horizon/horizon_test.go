package horizon_test

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"windlass/server/anchor"
	"windlass/server/horizon"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Recorded from Horizon 24, without links and metadata.
var (
	//go:embed testdata/payments.json
	paymentsJSON string
	//go:embed testdata/account.json
	accountJSON string
	//go:embed testdata/transaction.json
	transactionJSON string
)

const (
	user = "GBAPM27GZ3I3WII7S3L5I4LF6C3MFQKNR3XTYH4EXZHIMB46MLMNMMPZ" // of payments.json
	reg  = "GB5UHGS6DPCCEXVZSD27FIMVSAAXUX4UAYLK2243E2UHXBTWEPHQQA56" // of account.json
)

// serve starts a Horizon that answers as told, and a client of it.
func serve(t *testing.T, answer http.HandlerFunc) *horizon.Client {
	t.Helper()
	return client(t, horizon.Config{URLs: []string{server(t, answer)}})
}

func server(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

func client(t *testing.T, c horizon.Config) *horizon.Client {
	t.Helper()
	k := horizon.New(c)
	t.Cleanup(k.Close)
	return k
}

func problem(w http.ResponseWriter, status int, kind, extras string) {
	w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"type":"https://stellar.org/horizon-errors/%s","title":"x","status":%d,"extras":{%s}}`, kind, status, extras)
}

func TestAccount(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("no compression is asked for")
		}
		w.Header().Set("Latest-Ledger", "58")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write([]byte(accountJSON))
		_ = z.Close()
	})
	a, err := c.Account(t.Context(), reg)
	if err != nil {
		t.Fatal(err)
	}
	if a.Sequence != 227633266689 || a.LatestLedger != 58 || len(a.Signers) != 1 || a.Signers[0].Weight != 1 {
		t.Errorf("the account is %+v", a)
	}
	b, ok := a.Balance(anchor.Asset{Scheme: anchor.Stellar, Code: "REG", Issuer: "GARKPTLU27F3K25E3X7PTXJMNK32QRI24SMXSF77AKWGOC2NGEHMXWRA"})
	if !ok || !b.Authorized || b.Amount != 50*anchor.One || b.Room() != anchor.MaxAmount-50*anchor.One {
		t.Errorf("the trustline is %+v", b)
	}
	if n, ok := a.Balance(anchor.Native); !ok || !n.Authorized || n.Amount.String() != "9999.99999" {
		t.Errorf("the lumens are %+v", n)
	}
	if _, ok := a.Balance(anchor.Asset{}); ok {
		t.Error("no asset has a balance")
	}
}

// Only Horizon's own word means that an account does not exist. Whoever signs
// people in by it would let the wrong ones in otherwise.
func TestWhatIsNoAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   anchor.ErrorKind
	}{
		"horizon says not found": {func(w http.ResponseWriter, _ *http.Request) { problem(w, 404, "not_found", "") }, anchor.NotFound},
		"before its history":     {func(w http.ResponseWriter, _ *http.Request) { problem(w, 410, "before_history", "") }, anchor.NotFound},
		"a bad question":         {func(w http.ResponseWriter, _ *http.Request) { problem(w, 400, "bad_request", "") }, anchor.Invalid},
		"a proxy's 404":          {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>not found</html>", 404) }, anchor.Unavailable},
		"429":                    {func(w http.ResponseWriter, _ *http.Request) { problem(w, 429, "rate_limit_exceeded", "") }, anchor.Unavailable},
		"503":                    {func(w http.ResponseWriter, _ *http.Request) { problem(w, 503, "stale_history", "") }, anchor.Unavailable},
		"a redirect":             {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, anchor.Unavailable},
		"half an answer":         {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(accountJSON[:200])) }, anchor.Unavailable},
		"another account": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Replace(accountJSON, reg, user, 5)))
		}, anchor.Unavailable},
		"an account with nobody": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"account_id":%q,"sequence":"1","thresholds":{}}`, reg)
		}, anchor.Unavailable},
		// It would prove that an envelope of the account can never apply.
		"an account without a sequence number": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Replace(accountJSON, `"sequence"`, `"Sequenz"`, 1)))
		}, anchor.Unavailable},
		"an endless answer":        {func(w http.ResponseWriter, _ *http.Request) { flood(w) }, anchor.Unavailable},
		"a connection that breaks": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, anchor.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := serve(t, c.answer).Account(t.Context(), reg)
			if err == nil || anchor.KindOf(err) != c.kind {
				t.Errorf("got %v", err)
			}
		})
	}
}

func flood(w http.ResponseWriter) {
	junk := bytes.Repeat([]byte(" "), 1<<20)
	for range 8 {
		if _, err := w.Write(junk); err != nil {
			return
		}
	}
}

func TestAnotherHorizonIsAsked(t *testing.T) {
	t.Parallel()
	var bad atomic.Int32
	first := server(t, func(w http.ResponseWriter, _ *http.Request) { bad.Add(1); problem(w, 503, "stale_history", "") })
	second := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(accountJSON)) })
	c := client(t, horizon.Config{URLs: []string{first, second}})
	for range 5 {
		if _, err := c.Account(t.Context(), reg); err != nil {
			t.Fatal(err)
		}
	}
	if bad.Load() != 1 {
		t.Errorf("the ill one was asked %d times in a row", bad.Load())
	}
}

const paid = "8cdf2f7bf4cd925886a2bc039bc4dbbc399a91962354b6a0ed2d673e5e329ab1" // of transaction.json

func TestAHashIsLookedForEverywhere(t *testing.T) {
	t.Parallel()
	empty := server(t, func(w http.ResponseWriter, _ *http.Request) { problem(w, 404, "not_found", "") })
	full := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(transactionJSON)) })
	tx, err := client(t, horizon.Config{URLs: []string{empty, full}}).Transaction(t.Context(), paid)
	if err != nil || !tx.Successful || tx.Ledger != 82 || tx.FeeCharged != 200 {
		t.Errorf("got %+v, %v", tx, err)
	}
	_, err = client(t, horizon.Config{URLs: []string{empty, "http://127.0.0.1:1"}}).Transaction(t.Context(), paid)
	if err == nil || anchor.KindOf(err) != anchor.NotFound {
		t.Errorf("got %v", err)
	}
}

// As recorded, but for the amounts; and a second asset of that code is no answer.
func TestSupply(t *testing.T) {
	t.Parallel()
	asset := anchor.Asset{Scheme: anchor.Stellar, Code: "USD", Issuer: user}
	const record = `{"asset_type":"credit_alphanum4","asset_code":"USD","asset_issuer":"` + user + `",
		"claimable_balances_amount":"0.0000002","liquidity_pools_amount":"0.0000003","contracts_amount":"0.0000004",
		"balances":{"authorized":"600000.0000000","authorized_to_maintain_liabilities":"0.0000005","unauthorized":"0.0000006"}}`
	for name, c := range map[string]struct {
		records string
		supply  string
		kind    anchor.ErrorKind
	}{
		"some exist":          {records: record, supply: "600000.000002"},
		"nobody has any":      {supply: "0"},
		"another asset":       {records: strings.Replace(record, user, reg, 1), kind: anchor.Unavailable},
		"no balances":         {records: strings.Replace(record, "balances\":{", "Salden\":{", 1), kind: anchor.Unavailable},
		"an older Horizon":    {records: "404", kind: anchor.NotFound},
		"more than there are": {records: strings.Replace(record, "600000.0000000", "922337203685.4775807", 1), kind: anchor.Invalid},
	} {
		h := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if c.records == "404" {
				problem(w, 404, "not_found", "")
				return
			}
			if r.URL.RequestURI() != "/assets?asset_code=USD&asset_issuer="+user {
				t.Errorf("%s is asked for", r.URL.RequestURI())
			}
			w.Header().Set("Latest-Ledger", "85")
			_, _ = fmt.Fprintf(w, `{"_embedded":{"records":[%s]}}`, c.records)
		})
		supply, latest, err := h.Supply(t.Context(), asset)
		switch {
		case c.supply != "" && (err != nil || supply.String() != c.supply || latest != 85):
			t.Errorf("%s: %s as of %d, %v", name, supply, latest, err)
		case c.supply == "" && (err == nil || anchor.KindOf(err) != c.kind):
			t.Errorf("%s: %s, %v", name, supply, err)
		}
	}
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	const plain = `{"hash":"aa","successful":false,"ledger":7,"fee_account":"` + user + `","fee_charged":"100","paging_token":"30064775168","created_at":"2026-01-02T03:04:05Z"}`
	const bump = `{"hash":"bb","successful":true,"ledger":8,"fee_account":"` + user + `","fee_charged":"200","paging_token":"34359742464","created_at":"2026-01-02T03:04:05Z","fee_bump_transaction":{"hash":"bb"},"inner_transaction":{"hash":"cc"}}`
	answer := plain + "," + bump
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/accounts/"+user+"/transactions?cursor=0&include_failed=true&limit=200&order=asc" {
			t.Errorf("%s is asked for", r.URL.RequestURI())
		}
		_, _ = fmt.Fprintf(w, `{"_embedded":{"records":[%s]}}`, answer)
	})
	all, err := c.Transactions(t.Context(), user, "", horizon.PageSize)
	if err != nil || len(all) != 2 || all[0].Inner() != "aa" || all[0].FeeCharged != 100 || all[0].Cursor != "30064775168" ||
		all[1].Inner() != "cc" || all[1].Listed() != "bb" {
		t.Errorf("got %+v, %v", all, err)
	}
	for _, missing := range []string{"paging_token", "fee_account", "fee_charged", "created_at", "ledger"} {
		answer = strings.Replace(plain, missing, "Marke", 1)
		if all, err := c.Transactions(t.Context(), user, "", horizon.PageSize); err == nil || anchor.KindOf(err) != anchor.Unavailable {
			t.Errorf("without its %s: %+v, %v", missing, all, err)
		}
	}
}

// What a transaction did decides whether money is paid again.
func TestATransactionMustMakeSense(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"another transaction":                   {`"hash": "` + paid, `"hash": "` + strings.Repeat("8", 64)},
		"it has failed, and its result has not": {`"successful": true`, `"successful": false`},
		"nothing is said about success":         {`"successful": true,`, ``},
		"no result":                             {`"result_xdr"`, `"Ergebnis"`},
		"no ledger":                             {`"ledger"`, `"Buch"`},
	} {
		answer := strings.Replace(transactionJSON, change[0], change[1], 1)
		if answer == transactionJSON {
			t.Fatalf("%s: nothing was changed", name)
		}
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) })
		if tx, err := c.Transaction(t.Context(), paid); err == nil || anchor.KindOf(err) != anchor.Unavailable {
			t.Errorf("%s: got %+v, %v", name, tx, err)
		}
	}
}

// A Horizon of another network is never believed, whatever it answers.
func TestAnotherNetworkIsRefused(t *testing.T) {
	t.Parallel()
	answer := func(passphrase string) string {
		return server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				_, _ = fmt.Fprintf(w, `{"network_passphrase":%q}`, passphrase)
				return
			}
			w.Header().Set("Latest-Ledger", "1")
			_, _ = w.Write([]byte(accountJSON))
		})
	}
	c := client(t, horizon.Config{URLs: []string{answer("other")}, Passphrase: "ours"})
	if _, err := c.Account(t.Context(), reg); err == nil || anchor.KindOf(err) != anchor.Unavailable {
		t.Errorf("got %v", err)
	}
	if sub, err := c.Submit(t.Context(), "AAAA"); err == nil || sub.Outcome != horizon.Unknown {
		t.Errorf("got %v, %v", sub.Outcome, err)
	}
	c = client(t, horizon.Config{URLs: []string{answer("other"), answer("ours")}, Passphrase: "ours"})
	if _, err := c.Account(t.Context(), reg); err != nil {
		t.Error(err)
	}
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	failed := func(codes string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			problem(w, 400, "transaction_failed", `"result_codes":{`+codes+`},"result_xdr":"AAAA"`)
		}
	}
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		outcome horizon.Outcome
		codes   string
	}{
		"applied":           {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(transactionJSON)) }, horizon.Applied, ""},
		"failed":            {failed(`"transaction":"tx_failed","operations":["op_success","op_no_trust"]`), horizon.Failed, "tx_failed op_success op_no_trust"},
		"a fee bump failed": {failed(`"transaction":"tx_fee_bump_inner_failed","inner_transaction":"tx_failed","operations":["op_underfunded"]`), horizon.Failed, "tx_fee_bump_inner_failed tx_failed op_underfunded"},
		"refused":           {failed(`"transaction":"tx_bad_seq"`), horizon.Refused, "tx_bad_seq"},
		"too cheap":         {failed(`"transaction":"tx_insufficient_fee"`), horizon.Refused, "tx_insufficient_fee"},
		"a time-out":        {func(w http.ResponseWriter, _ *http.Request) { problem(w, 504, "transaction_submission_timeout", "") }, horizon.Unknown, ""},
		"a limit": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "18")
			problem(w, 429, "rate_limit_exceeded", "")
		}, horizon.Unknown, ""},
		"core is gone":  {func(w http.ResponseWriter, _ *http.Request) { problem(w, 503, "stale_history", "") }, horizon.Unknown, ""},
		"malformed":     {func(w http.ResponseWriter, _ *http.Request) { problem(w, 400, "transaction_malformed", "") }, horizon.Unknown, ""},
		"no JSON":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, horizon.Unknown, ""},
		"a broken line": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, horizon.Unknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sub, err := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.Path != "/transactions" || r.FormValue("tx") != "AA+/==" {
					t.Errorf("%s %s %q", r.Method, r.URL.Path, r.FormValue("tx"))
				}
				c.answer(w, r)
			}).Submit(t.Context(), "AA+/==")
			if sub.Outcome != c.outcome || sub.Codes.String() != c.codes || (err == nil) != (c.outcome == horizon.Applied) {
				t.Errorf("got %s, %q, %v", sub.Outcome, sub.Codes, err)
			}
			if name == "a limit" && sub.RetryAfter != 18*time.Second {
				t.Errorf("retry after %s", sub.RetryAfter)
			}
		})
	}
}

func TestPaymentsOfARealAccount(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("cursor") != "0" || q.Get("order") != "asc" || q.Get("join") != "transactions" || q.Get("limit") != "200" {
			t.Errorf("asked for %s", r.URL.RawQuery)
		}
		_, _ = w.Write([]byte(paymentsJSON))
	})
	all, err := c.Payments(t.Context(), user, "", 200)
	if err != nil || len(all) < 19 {
		t.Fatal(len(all), err)
	}
	by := map[string]horizon.Payment{}
	for _, p := range all {
		if p.Fault != "" || p.Ledger == 0 || p.At.IsZero() || len(p.Hash) != 64 || p.Inner == "" {
			t.Errorf("%+v", p)
		}
		by[p.ID] = p
	}
	usd := anchor.Asset{Scheme: anchor.Stellar, Code: "USD", Issuer: "GARYVYJ6WMDMRV2OSKGEGQOP55BUG4B5LXJFYKLUJXQM7FTOPEAICBCF"}
	p := by["124554055681"] // to a muxed address
	if p.To != user || p.MuxedID != "123456789" || p.Amount != 13*anchor.One || p.Asset != usd || p.Ledger != 29 || !p.Memo.IsZero() {
		t.Errorf("muxed: %+v", p)
	}
	p = by["296352747521"] // a strict send of 11 USD that brought 10 EUR
	if p.Amount != 10*anchor.One || p.Asset.Code != "EUR" || p.SentAmount != 11*anchor.One || p.SentAsset != usd {
		t.Errorf("path: %+v", p)
	}
	p = by["365072224257"]
	if p.Memo != (anchor.Memo{Type: anchor.MemoText, Value: "async"}) || p.Ledger != 85 {
		t.Errorf("text memo: %+v", p)
	}
	p = by["64424513537"]
	if p.Type != "create_account" || p.To != user || p.Amount != 10_000*anchor.One || p.Asset != anchor.Native {
		t.Errorf("created: %+v", p)
	}
	kinds := map[anchor.MemoType]bool{}
	for _, p := range all {
		kinds[p.Memo.Type] = true
	}
	for _, k := range []anchor.MemoType{anchor.MemoNone, anchor.MemoID, anchor.MemoText, anchor.MemoHash, anchor.MemoReturn} {
		if !kinds[k] {
			t.Errorf("no memo of kind %q was read", k)
		}
	}
}

const opening = "retry: 1000\nevent: open\ndata: \"hello\"\n\n"

func event(id int, amount string) string {
	return fmt.Sprintf("id: %d\ndata: {\"id\":\"%d\",\"type\":\"payment\",\"from\":%q,\"to\":%q,\"amount\":%q,\"asset_type\":\"native\",\"transaction_hash\":\"x\",\"transaction\":{\"memo_type\":\"none\"}}\n\n", id, id, reg, user, amount)
}

// The stream goes on from the last payment that was accepted, reopens after
// each end, and ends with what stopped it.
func TestStream(t *testing.T) {
	t.Parallel()
	var cursors []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cursors = append(cursors, r.URL.Query().Get("cursor"))
		if r.Header.Get("Accept") != "text/event-stream" || r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("asked with %v", r.Header)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		switch len(cursors) {
		case 1:
			_, _ = w.Write([]byte(opening + event(5, "1.0000000") + ": a comment\n\n" + event(6, "2.0000000") + "retry: 10\nevent: close\ndata: \"byebye\"\n\n"))
		case 2: // the last event is cut off
			_, _ = w.Write([]byte(opening + strings.ReplaceAll(event(7, "3.0000000"), "\n", "\r\n") + strings.TrimSuffix(event(8, "4.0000000"), "\n")))
		case 3:
			_, _ = w.Write([]byte(opening + event(8, "4.0000000") + "id: 9\ndata: not json\n\n" + event(10, "5.0000000")))
		}
	})
	stop := errors.New("enough")
	var got []string
	last, err := c.Stream(t.Context(), user, "4", func(p horizon.Payment) error {
		got = append(got, p.ID+" "+p.Amount.String()+" "+p.Fault)
		if p.ID == "10" {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || last != "9" {
		t.Errorf("it ended at %s with %v", last, err)
	}
	if want := "5 1 ,6 2 ,7 3 ,8 4 ,9 0 the record cannot be decoded,10 5 "; strings.Join(got, ",") != want {
		t.Errorf("got %q", strings.Join(got, ","))
	}
	if want := "4 6 7"; strings.Join(cursors, " ") != want {
		t.Errorf("the cursors were %v", cursors)
	}
}

func TestStreamFaults(t *testing.T) {
	t.Parallel()
	none := func(horizon.Payment) error { return nil }
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(opening)) })
	if _, err := c.Stream(t.Context(), user, "0", none); anchor.KindOf(err) != anchor.Unavailable {
		t.Errorf("a stream that ends at once: %v", err)
	}
	c = serve(t, func(w http.ResponseWriter, _ *http.Request) { problem(w, 404, "not_found", "") })
	if _, err := c.Stream(t.Context(), user, "0", none); anchor.KindOf(err) != anchor.NotFound {
		t.Errorf("no such account: %v", err)
	}
	c = serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("data: "))
		for range 4 {
			flood(w)
		}
	})
	if _, err := c.Stream(t.Context(), user, "0", none); anchor.KindOf(err) != anchor.Unavailable {
		t.Errorf("an endless event: %v", err)
	}
	c = serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(opening))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	c.SetSilence(50 * time.Millisecond)
	if _, err := c.Stream(t.Context(), user, "0", none); err == nil || !strings.Contains(err.Error(), "fell silent") {
		t.Errorf("silence: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c = serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(opening))
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	if last, err := c.Stream(ctx, user, "3", none); !errors.Is(err, context.Canceled) || last != "3" {
		t.Errorf("cancelled: %s, %v", last, err)
	}
}

func TestFeeStatsAndLedgers(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/fee_stats":
			_, _ = w.Write([]byte(`{"last_ledger":"14","last_ledger_base_fee":"100","ledger_capacity_usage":"0.97","fee_charged":{"min":"100","p50":"110","p90":"190","p99":"199"},"max_fee":{"min":"1","p50":"500","p90":"900","p99":"999"}}`))
		case "/ledgers":
			_, _ = w.Write([]byte(`{"_embedded":{"records":[{"sequence":14,"hash":"ab","closed_at":"2026-11-22T07:52:13Z"}]}}`))
		}
	})
	s, err := c.FeeStats(t.Context())
	if err != nil || s.BaseFee != 100 || s.ChargedP99 != 199 || s.MaxFeeP90 != 900 || s.Capacity != 0.97 {
		t.Errorf("%+v, %v", s, err)
	}
	l, err := c.LatestLedger(t.Context())
	if err != nil || l.Sequence != 14 || l.Hash != "ab" || l.ClosedAt.IsZero() {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestPatienceOfTheCaller: a caller who waits less long than the client would
// finds the next Horizon at the next try.
func TestPatienceOfTheCaller(t *testing.T) {
	t.Parallel()
	leave := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-leave:
		}
	}))
	well := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `{"type":"https://stellar.org/horizon-errors/not_found","status":404}`)
	}))
	t.Cleanup(func() { close(leave); silent.Close(); well.Close() })
	c := horizon.New(horizon.Config{URLs: []string{silent.URL, well.URL}})
	defer c.Close()
	try := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := c.Account(ctx, "G")
		return err
	}
	if err := try(); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the silent one: %v", err)
	}
	var err error
	for range 3 { // the machine may be slow
		if err = try(); anchor.KindOf(err) == anchor.NotFound {
			return
		}
	}
	t.Errorf("the other was not asked: %v", err)
}

// FuzzPayment: what a Horizon says is read or refused, and never half of each.
func FuzzPayment(f *testing.F) {
	var recorded struct {
		Embedded struct{ Records []json.RawMessage } `json:"_embedded"`
	}
	if err := json.Unmarshal([]byte(paymentsJSON), &recorded); err != nil {
		f.Fatal(err)
	}
	for _, raw := range recorded.Embedded.Records {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := horizon.ReadPayment(raw, user)
		if err == nil && (p.Amount < 0 || p.Memo.Type == "" && p.Memo.Value != "") {
			t.Errorf("%+v of %s", p, raw)
		}
	})
}
