package rail

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"windlass/server/anchor"
)

const (
	maxTransferBody = 1 << 20
	// maxTransfer keeps the sum of many transfers far from overflowing.
	maxTransfer = 1_000_000_000 * anchor.One
	// shownLines is how much of the statement is shown.
	shownLines = 200
	// bankDecimals is what a bank can move.
	bankDecimals = 2
)

// Handler is the bank's own HTTP API, which its page uses:
//
//	GET  /bank/api/statement   ?currency=USD
//	POST /bank/api/transfers   a transfer to the anchor's account
//	POST /bank/api/recalls     {"id"} of a settled transfer to a customer, or of cash that lies ready, which comes back
//	POST /bank/api/pickups     {"code"} of cash that lies ready, which is handed out
//
// It takes JSON only, so that no form on a foreign page can post to it. Errors
// are {"error", "field"}.
func (b *Simulated) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		route := map[string]struct {
			method string
			do     func(http.ResponseWriter, *http.Request) (int, any, error)
		}{
			"/bank/api/statement": {http.MethodGet, b.getStatement},
			"/bank/api/transfers": {http.MethodPost, b.postTransfer},
			"/bank/api/recalls":   {http.MethodPost, b.postRecall},
			"/bank/api/pickups":   {http.MethodPost, b.postPickup},
		}[r.URL.Path]
		switch {
		case route.do == nil:
			answer(w, http.StatusNotFound, refusal{Error: "there is nothing here"})
			return
		case r.Method != route.method && (r.Method != http.MethodHead || route.method != http.MethodGet):
			w.Header().Set("Allow", route.method)
			answer(w, http.StatusMethodNotAllowed, refusal{Error: "use " + route.method})
			return
		}
		status, v, err := route.do(w, r)
		var e *anchor.Error
		switch {
		case err == nil:
			answer(w, status, v)
		case errors.As(err, &e) && e.Kind == anchor.Invalid:
			answer(w, http.StatusBadRequest, refusal{e.Message, e.Field})
		case errors.Is(err, tooManyTries):
			w.Header().Set("Retry-After", strconv.Itoa(int(missesWithin.Seconds())))
			answer(w, http.StatusTooManyRequests, refusal{Error: tooManyTries.Message, Field: "code"})
		case errors.As(err, &e) && e.Kind == anchor.Conflict:
			answer(w, http.StatusConflict, refusal{Error: e.Message})
		default:
			answer(w, http.StatusInternalServerError, refusal{Error: "the bank has a problem; try again"})
		}
	})
}

type refusal struct {
	Error string `json:"error"`
	Field string `json:"field,omitempty"`
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // when the client is gone there is nobody to tell
}

// lineJSON is a line of the statement, as the page reads it.
type lineJSON struct {
	ID           string        `json:"id"`
	At           time.Time     `json:"at"`
	Direction    string        `json:"direction"` // in, out
	Amount       string        `json:"amount"`
	Currency     string        `json:"currency"`
	Counterparty counterparty  `json:"counterparty"`
	Reference    string        `json:"reference"`
	State        TransferState `json:"state"` // settled, pending, ready
	// Returns says of money that came in that it is a transfer to a customer that
	// came back.
	Returns bool `json:"returns"`
	// Recalled says of money that went out that it came back.
	Recalled bool `json:"recalled"`
	// Cash says of money that went out that it is collected at the desk.
	Cash bool `json:"cash"`
}

type counterparty struct {
	Name    string `json:"name"`
	Account string `json:"account"`
}

func (t transfer) line(now time.Time) lineJSON {
	direction := t.dir
	if direction == "back" {
		direction = "in"
	}
	return lineJSON{
		ID: t.id, At: t.at(), Direction: direction, Returns: t.dir == "back", Amount: t.amount.String(), Currency: t.asset.Code,
		Counterparty: counterparty{t.name, t.account}, Reference: t.reference, State: t.state(now), Cash: t.code != "",
	}
}

type statementJSON struct {
	Account  accountJSON `json:"account"`
	Currency string      `json:"currency"`
	Balance  string      `json:"balance"`
	Lines    []lineJSON  `json:"lines"` // newest first
}

type accountJSON struct {
	Holder string `json:"holder"`
	Number string `json:"number"`
	Bank   string `json:"bank"`
}

func (b *Simulated) getStatement(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	currency, err := b.currency(r.URL.Query().Get("currency"))
	if err != nil {
		return 0, nil, err
	}
	now := time.Now()
	balance, err := b.Balance(r.Context(), currency)
	if err != nil {
		return 0, nil, err
	}
	// What was refused never was on the statement, and what came back is
	// struck from it.
	all, err := b.query(r.Context(), `currency = $1 AND `+counted+` ORDER BY seq DESC LIMIT $3`,
		currency.Code, now.UnixMicro(), shownLines)
	if err != nil {
		return 0, nil, err
	}
	st := statementJSON{accountJSON{b.Holder, b.Number, b.Bank}, currency.Code, balance.Fixed(bankDecimals), []lineJSON{}}
	back := map[string]bool{} // by the order; what came back is above what left
	for _, t := range all {
		back[t.key] = back[t.key] || t.dir == "back"
		l := t.line(now)
		l.Recalled = t.dir == "out" && back[t.key]
		st.Lines = append(st.Lines, l)
	}
	return http.StatusOK, st, nil
}

// counted are the transfers that are on the statement, pending ones too. $2 is
// now.
const counted = `(fate IN ('settled', 'recalled') OR fate = 'returned' AND settles_at > $2)`

// Balance is what the account holds. An order counts from the moment it is taken.
func (b *Simulated) Balance(ctx context.Context, currency anchor.Asset) (anchor.Amount, error) {
	var sum anchor.Amount
	err := b.db.QueryRowContext(ctx, `SELECT COALESCE(SUM(CASE direction WHEN 'out' THEN -amount ELSE amount END), 0) FROM transfers
		WHERE currency = $1 AND `+counted, currency.Code, time.Now().UnixMicro()).Scan(&sum)
	return sum, err
}

// currency finds a currency of the account, "" being the first.
func (b *Simulated) currency(code string) (anchor.Asset, error) {
	if code == "" {
		return b.Currencies[0], nil
	}
	i := slices.IndexFunc(b.Currencies, func(a anchor.Asset) bool { return a.Code == code })
	if i < 0 {
		return anchor.Asset{}, invalid("currency", "this account does not hold "+cut(code))
	}
	return b.Currencies[i], nil
}

// transferJSON is a transfer to the anchor, as a payer's bank would send it.
type transferJSON struct {
	Amount       string `json:"amount"`
	Currency     string `json:"currency"`
	Reference    string `json:"reference"`
	PayerName    string `json:"payer_name"`
	PayerAccount string `json:"payer_account"`
}

func (b *Simulated) postTransfer(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var in transferJSON
	if err := readJSON(w, r, &in); err != nil {
		return 0, nil, err
	}
	t, err := b.check(in)
	if err != nil {
		return 0, nil, err
	}
	if t.key = r.Header.Get("Idempotency-Key"); len(t.key) > 255 {
		return 0, nil, invalid("", "Idempotency-Key must have at most 255 bytes")
	}
	t, err = b.add(r.Context(), t, 0)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, t.line(time.Now()), nil
}

func (b *Simulated) postRecall(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var in struct {
		ID string `json:"id"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return 0, nil, err
	}
	t, err := b.recall(r.Context(), in.ID)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, t.line(time.Now()), nil
}

func (b *Simulated) check(in transferJSON) (transfer, error) {
	amount, err := anchor.ParseAmount(in.Amount)
	var e *anchor.Error
	switch {
	case errors.As(err, &e):
		return transfer{}, invalid("amount", e.Message)
	case amount <= 0:
		return transfer{}, invalid("amount", "the amount must be more than 0")
	case !amount.IsWhole(bankDecimals):
		return transfer{}, invalid("amount", "the amount must have at most two decimals")
	case amount > maxTransfer:
		return transfer{}, invalid("amount", "the amount must be at most "+maxTransfer.String())
	}
	currency, err := b.currency(in.Currency)
	if err != nil {
		return transfer{}, err
	}
	for _, f := range []struct {
		name  string
		value *string
		most  int
		empty bool
	}{
		{"reference", &in.Reference, 140, true},
		{"payer_name", &in.PayerName, 140, false},
		{"payer_account", &in.PayerAccount, 34, false},
	} {
		*f.value = strings.TrimSpace(*f.value)
		switch {
		case *f.value == "" && !f.empty:
			return transfer{}, invalid(f.name, f.name+" is required")
		case !utf8.ValidString(*f.value) || strings.ContainsFunc(*f.value, unicode.IsControl):
			return transfer{}, invalid(f.name, f.name+" contains characters that cannot be used")
		case utf8.RuneCountInString(*f.value) > f.most:
			return transfer{}, invalid(f.name, f.name+" is too long")
		}
	}
	if _, err := (anchor.Field{Name: "payer_account", Type: anchor.FieldAccountNumber}).Check(in.PayerAccount, time.Now()); err != nil {
		return transfer{}, err
	}
	return transfer{
		dir: "in", fate: Settled, asset: currency, amount: amount,
		name: in.PayerName, account: in.PayerAccount, reference: in.Reference,
	}, nil
}

// readJSON reads one JSON object and nothing after it.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return invalid("", "Content-Type must be application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxTransferBody))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var wrong *json.UnmarshalTypeError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return invalid(wrong.Field, wrong.Field+` must be text in quotes`)
	case errors.As(err, &large):
		return invalid("", "the body must have at most 1 MiB")
	case err != nil:
		return invalid("", "the body must be one JSON object: "+strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("", "the body must be one JSON object and nothing more")
	}
	return nil
}

func invalid(field, message string) error {
	return &anchor.Error{Kind: anchor.Invalid, Field: field, Message: message}
}

// cut shortens what a stranger wrote before it is repeated to them.
func cut(s string) string {
	if len(s) > 10 {
		return "this currency"
	}
	return s
}
