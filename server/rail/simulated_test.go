package rail_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/rail"
)

func call(bank *rail.Simulated, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	bank.Handler().ServeHTTP(rec, r)
	return rec
}

const goodTransfer = `{"amount":"100","currency":"USD","reference":"WL","payer_name":"Ana","payer_account":"0001234"}`

func TestBankAPI(t *testing.T) {
	t.Parallel()
	bank := openBank(t, filepath.Join(t.TempDir(), "bank.db"), -1)
	t.Cleanup(func() { must(t, bank.Close()) })
	with := func(old, new string) string { return strings.Replace(goodTransfer, old, new, 1) }
	for name, c := range map[string]struct {
		method, target, body, contentType string
		status                            int
		field                             string
	}{
		"good":                 {body: goodTransfer, status: 201},
		"cents":                {body: with("100", "0.01"), status: 201},
		"no reference":         {body: with(`"WL"`, `""`), status: 201},
		"another currency":     {body: with("USD", "EUR"), status: 201},
		"longest reference":    {body: with("WL", strings.Repeat("é", 140)), status: 201},
		"nothing":              {body: with("100", "0"), status: 400, field: "amount"},
		"negative":             {body: with("100", "-1"), status: 400, field: "amount"},
		"no amount":            {body: with(`"amount":"100",`, ``), status: 400, field: "amount"},
		"a number":             {body: with(`"100"`, `100`), status: 400, field: "amount"},
		"tenth of a cent":      {body: with("100", "1.001"), status: 400, field: "amount"},
		"too much":             {body: with("100", "1000000000.01"), status: 400, field: "amount"},
		"unknown currency":     {body: with("USD", "GBP"), status: 400, field: "currency"},
		"reference too long":   {body: with("WL", strings.Repeat("x", 141)), status: 400, field: "reference"},
		"control character":    {body: with("WL", `a\u0000b`), status: 400, field: "reference"},
		"no name":              {body: with("Ana", "  "), status: 400, field: "payer_name"},
		"no account":           {body: with("0001234", ""), status: 400, field: "payer_account"},
		"odd account":          {body: with("0001234", "12;34"), status: 400, field: "payer_account"},
		"unknown field":        {body: with(`{`, `{"fee":"1",`), status: 400},
		"no JSON":              {body: "amount=100", status: 400},
		"two values":           {body: goodTransfer + goodTransfer, status: 400},
		"null":                 {body: "null", status: 400, field: "amount"},
		"huge":                 {body: with("WL", strings.Repeat("x", 1<<20)), status: 400},
		"a form":               {body: goodTransfer, contentType: "text/plain", status: 400},
		"recall of nothing":    {target: "/bank/api/recalls", body: `{"id":"none"}`, status: 400, field: "id"},
		"recall by GET":        {method: "GET", target: "/bank/api/recalls", body: "{}", status: 405},
		"wrong method":         {method: "GET", body: goodTransfer, status: 405},
		"elsewhere":            {target: "/bank/api/secrets", body: goodTransfer, status: 404},
		"statement by POST":    {target: "/bank/api/statement", body: "{}", status: 405},
		"statement":            {method: "GET", target: "/bank/api/statement", status: 200},
		"euro statement":       {method: "GET", target: "/bank/api/statement?currency=EUR", status: 200},
		"statement of nothing": {method: "GET", target: "/bank/api/statement?currency=XXX", status: 400, field: "currency"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method, target := "POST", "/bank/api/transfers"
			if c.method != "" {
				method = c.method
			}
			if c.target != "" {
				target = c.target
			}
			var headers []string
			if c.contentType != "" {
				headers = []string{"Content-Type", c.contentType}
			}
			rec := call(bank, method, target, c.body, headers...)
			var answer map[string]any
			must(t, json.Unmarshal(rec.Body.Bytes(), &answer))
			field, _ := answer["field"].(string)
			if rec.Code != c.status || field != c.field || (c.status >= 400) != (answer["error"] != nil) || rec.Header().Get("Content-Type") != "application/json" {
				t.Error(rec.Code, rec.Body)
			}
		})
	}
}

func TestBankStatement(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	statement := func() (st struct {
		Account  map[string]string
		Currency string
		Balance  string
		Lines    []map[string]any
	}) {
		t.Helper()
		must(t, json.Unmarshal(call(w.bank, "GET", "/bank/api/statement", "").Body.Bytes(), &st))
		return st
	}
	if st := statement(); st.Balance != "0.00" || st.Lines == nil || st.Currency != "USD" || st.Account["number"] != "1234567890" {
		t.Errorf("%+v", st)
	}
	call(w.bank, "POST", "/bank/api/transfers", goodTransfer)
	for _, to := range []string{"12345678", rail.ClosedAccount, rail.ReturningAccount} {
		_, err := w.bank.Pay(t.Context(), rail.Order{ID: to, Asset: usd, Amount: 30 * anchor.One, To: map[string]string{"bank_account_number": to, "first_name": "Ana"}, Until: time.Now().Add(time.Minute)})
		must(t, err)
	}
	st := statement()
	if st.Balance != "40.00" || len(st.Lines) != 3 || st.Lines[0]["state"] != "pending" || st.Lines[2]["direction"] != "in" || st.Lines[2]["state"] != "settled" {
		t.Errorf("%+v", st)
	}
	must(t, w.bank.Settle(t.Context()))
	if st := statement(); st.Balance != "70.00" || len(st.Lines) != 2 || st.Lines[0]["state"] != "settled" || st.Lines[0]["amount"] != "30" {
		t.Errorf("%+v", st)
	}
}

// TestBankAccount: what is pending, was refused or came back is not booked.
func TestBankAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	booked := func(since time.Time, balance anchor.Amount, lines ...anchor.Amount) rail.Account {
		t.Helper()
		a, err := w.bank.Account(t.Context(), since)
		must(t, err)
		var got []anchor.Amount
		for _, l := range a.Lines {
			got = append(got, l.Amount)
		}
		if a.Balances[usd] != balance || !slices.Equal(got, lines) {
			t.Errorf("%s is booked, in lines of %s; want %s, %s", a.Balances[usd], got, balance, lines)
		}
		return a
	}
	booked(time.Time{}, 0)
	call(w.bank, "POST", "/bank/api/transfers", goodTransfer)
	for _, to := range []string{"12345678", rail.ClosedAccount, rail.ReturningAccount} {
		_, err := w.bank.Pay(t.Context(), rail.Order{ID: "to " + to, Asset: usd, Amount: 30 * anchor.One, To: map[string]string{"bank_account_number": to}, Until: time.Now().Add(time.Minute)})
		must(t, err)
	}
	booked(time.Time{}, 100*anchor.One, 100*anchor.One)
	must(t, w.bank.Settle(t.Context()))
	a := booked(time.Time{}, 70*anchor.One, 100*anchor.One, -30*anchor.One)
	tr, err := w.bank.Lookup(t.Context(), "to 12345678")
	must(t, err)
	if out := a.Lines[1]; out.Order != "to 12345678" || out.ID != tr.ID || !out.At.Equal(tr.At) || a.Lines[0].Order != "" {
		t.Errorf("the lines are %+v, the transfer %+v", a.Lines, tr)
	}
	booked(tr.At, 70*anchor.One, -30*anchor.One)
	booked(tr.At.Add(time.Microsecond), 70*anchor.One)
}

// A settled transfer is recalled once, in a line of its own, and stays settled.
func TestBankRecalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	for _, to := range []string{"12345678", rail.RecallingAccount} {
		_, err := w.bank.Pay(t.Context(), rail.Order{ID: "to " + to, Asset: usd, Amount: 30 * anchor.One, To: map[string]string{"bank_account_number": to, "account_holder": "Ana"}, Until: time.Now().Add(time.Minute)})
		must(t, err)
	}
	first, err := w.bank.Lookup(t.Context(), "to 12345678")
	must(t, err)
	body := `{"id":"` + first.ID + `"}`
	if rec := call(w.bank, "POST", "/bank/api/recalls", body); rec.Code != 409 {
		t.Error("before it is settled:", rec.Code, rec.Body)
	}
	must(t, w.bank.Settle(t.Context()))
	for range 2 {
		if rec := call(w.bank, "POST", "/bank/api/recalls", body); rec.Code != 201 {
			t.Error(rec.Code, rec.Body)
		}
	}
	st, err := w.bank.Credits(t.Context(), "")
	must(t, err)
	if len(st.Credits) != 2 || st.Credits[0].Order != "to 12345678" || st.Credits[0].Amount != 30*anchor.One || st.Credits[0].PayerName != "Ana" ||
		st.Credits[1].Order != "to "+rail.RecallingAccount {
		t.Errorf("%+v", st.Credits)
	}
	if again, err := w.bank.Lookup(t.Context(), "to 12345678"); err != nil || again != first && again.State != rail.Settled {
		t.Error(again, err)
	}
	a, err := w.bank.Account(t.Context(), time.Time{})
	must(t, err)
	if a.Balances[usd] != 0 || len(a.Lines) != 4 || a.Lines[3].Amount != 30*anchor.One || a.Lines[3].Order == "" {
		t.Errorf("%+v", a)
	}
	lines := w.statement()
	if !lines[0].Returns || !lines[1].Returns || !lines[2].Recalled || !lines[3].Recalled || lines[0].Recalled {
		t.Errorf("%+v", lines)
	}
	// Nobody can say of money that they send that it is such a return.
	if rec := call(w.bank, "POST", "/bank/api/transfers", goodTransfer, "Idempotency-Key", "to 12345678"); rec.Code != 201 {
		t.Error(rec.Code, rec.Body)
	}
	if st, err := w.bank.Credits(t.Context(), st.Cursor); err != nil || len(st.Credits) != 1 || st.Credits[0].Order != "" {
		t.Error(st, err)
	}
	if info, err := os.Stat(w.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

func TestBankKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	send := func(body string) *httptest.ResponseRecorder {
		return call(w.bank, "POST", "/bank/api/transfers", body, "Idempotency-Key", "k1")
	}
	first, again := send(goodTransfer), send(goodTransfer)
	if first.Code != http.StatusCreated || first.Body.String() != again.Body.String() {
		t.Error(first.Body, again.Body)
	}
	if other := send(strings.Replace(goodTransfer, "100", "200", 1)); other.Code != http.StatusConflict {
		t.Error(other.Code, other.Body)
	}
	order := rail.Order{ID: "k1", Asset: usd, Amount: anchor.One, To: map[string]string{"bank_account_number": "12345678"}, Until: time.Now().Add(time.Minute)}
	one, err := w.bank.Pay(t.Context(), order)
	must(t, err)
	two, err := w.bank.Pay(t.Context(), order)
	must(t, err)
	if one != two || one.ID == "" {
		t.Error(one, two)
	}
	order.Amount *= 2
	if _, err := w.bank.Pay(t.Context(), order); anchor.KindOf(err) != anchor.Conflict {
		t.Error(err)
	}
	if b, err := w.bank.Balance(t.Context(), usd); err != nil || b != 99*anchor.One {
		t.Error(b, err)
	}
}

func TestBankSurvivesRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bank.db")
	bank := openBank(t, path, -1)
	call(bank, "POST", "/bank/api/transfers", goodTransfer)
	order := rail.Order{ID: "o1", Asset: usd, Amount: anchor.One, To: map[string]string{"bank_account_number": "12345678"}, Until: time.Now().Add(time.Minute)}
	told, err := bank.Pay(t.Context(), order)
	must(t, err)
	st, err := bank.Credits(t.Context(), "")
	must(t, err)
	must(t, bank.Close())

	bank = openBank(t, path, -1)
	defer func() { must(t, bank.Close()) }()
	if got, err := bank.Lookup(t.Context(), "o1"); err != nil || got != told {
		t.Error(got, err)
	}
	if got, err := bank.Lookup(t.Context(), "o2"); err != nil || got.State != rail.Missing || got.At.IsZero() {
		t.Error(got, err)
	}
	if next, err := bank.Credits(t.Context(), st.Cursor); err != nil || len(next.Credits) != 0 || next.Cursor != st.Cursor {
		t.Error(next, err)
	}
	if again, err := bank.Credits(t.Context(), ""); err != nil || len(again.Credits) != 1 || again.Credits[0] != st.Credits[0] {
		t.Error(again, err)
	}

	// Another bank's cursor means nothing here: reading on could skip money.
	other := openBank(t, filepath.Join(t.TempDir(), "bank.db"), -1)
	defer func() { must(t, other.Close()) }()
	if _, err := other.Credits(t.Context(), st.Cursor); err == nil {
		t.Error("a foreign cursor was taken")
	}
}

// TestBankSurvivesKill lets another process take transfers, kills it, and looks
// for every one that it had answered.
func TestBankSurvivesKill(t *testing.T) {
	if path := os.Getenv("WINDLASS_TEST_BANK"); path != "" {
		takeTransfers(t, path)
		return
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bank.db")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestBankSurvivesKill$")
	cmd.Env = append(os.Environ(), "WINDLASS_TEST_BANK="+path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	answered := map[string]bool{}
	for lines := bufio.NewScanner(out); len(answered) < 50 && lines.Scan(); {
		answered[lines.Text()] = true
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if len(answered) != 50 {
		t.Fatal(len(answered), "transfers before the end")
	}

	bank := openBank(t, path, -1)
	defer func() { must(t, bank.Close()) }()
	st, err := bank.Credits(t.Context(), "")
	must(t, err)
	for _, c := range st.Credits {
		delete(answered, c.ID)
	}
	if len(answered) > 0 {
		t.Errorf("lost: %v", answered)
	}
}

// takeTransfers is the process that TestBankSurvivesKill kills.
func takeTransfers(t *testing.T, path string) {
	t.Helper()
	bank := openBank(t, path, -1)
	for {
		var line struct{ ID string }
		must(t, json.Unmarshal(call(bank, "POST", "/bank/api/transfers", goodTransfer).Body.Bytes(), &line))
		if _, err := os.Stdout.WriteString(line.ID + "\n"); err != nil {
			return
		}
	}
}

// TestBankWays: each way to pay in has rows of its own and a code that fills the
// bank's form, and a way out may lead to a telephone.
func TestBankWays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	for method, want := range map[string]string{
		"bank_transfer": "account_holder account_number bank_name", "instant_transfer": "account_holder account_number bank_name",
		"mobile_money": "account_holder mobile_money_number mobile_money_provider", "cash": "cash_desk account_holder",
	} {
		var names []string
		for _, row := range w.bank.Instructions(usd, method) {
			names = append(names, row.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", method, got, want)
		}
	}
	if code := w.bank.PaymentCode(usd, "cash", 100*anchor.One, "WL-1"); code != "" {
		t.Errorf("without a page there is %s", code)
	}
	_, err := w.bank.Pay(t.Context(), rail.Order{ID: "to a telephone", Asset: usd, Amount: 30 * anchor.One, To: map[string]string{"mobile_money_number": "+12025550143"}, Until: time.Now().Add(time.Minute)})
	must(t, err)
	if rec := call(w.bank, "GET", "/bank/api/statement?currency=USD", ""); !strings.Contains(rec.Body.String(), "+12025550143") {
		t.Error(rec.Body.String())
	}
}
