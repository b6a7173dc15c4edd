package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
)

// patience bounds every wait of a story. Nothing waits that long unless it is broken.
const patience = 90 * time.Second

// A program is windlass in a process of its own, so that it can be killed or stopped.
type program struct {
	cmd  *exec.Cmd
	done chan struct{}
	log  *logged // what it prints
}

// launch runs this test binary as windlass, see TestMain.
func launch(t *testing.T, args ...string) *program {
	t.Helper()
	log := new(logged)
	p := spawn(t, log, nil, args...)
	p.log = log
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("windlass %s:\n%s", strings.Join(args, " "), tail(p.log.String(), 6000))
		}
	})
	return p
}

// spawn runs this test binary as windlass, with more in its environment. Whoever
// spawns kills.
func spawn(t *testing.T, out io.Writer, environ []string, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{cmd: exec.CommandContext(t.Context(), self, args...), done: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), runAsWindlass+"=1"), environ...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	return p
}

// kill is SIGKILL: nothing is tidied up.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}

// stop is Ctrl-C's gentler brother, SIGTERM. It returns the exit code once the
// program has ended.
func (p *program) stop(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatal("it does not stop")
	}
	return p.cmd.ProcessState.ExitCode()
}

// told waits until the program has printed what the pattern says.
func (p *program) told(t *testing.T, pattern string) string {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	eventually(t, "it prints "+pattern, func() bool { return wanted.MatchString(p.log.String()) })
	return wanted.FindString(p.log.String())
}

func tail(s string, n int) string {
	if len(s) > n {
		s = "…" + s[len(s)-n:]
	}
	return s
}

// dev launches windlass dev in a folder and waits until everything answers.
func dev(t *testing.T, dir string, args ...string) (*program, addresses) {
	t.Helper()
	path := filepath.Join(dir, addressesFile)
	if err := removeIfThere(path); err != nil {
		t.Fatal(err)
	}
	p := launch(t, append([]string{"dev", "--dir", dir}, args...)...)
	var a addresses
	eventually(t, "windlass dev answers", func() bool {
		select {
		case <-p.done:
			t.Fatalf("windlass ended:\n%s", p.log)
		default:
		}
		b, err := os.ReadFile(path)
		return err == nil && json.Unmarshal(b, &a) == nil
	})
	return p, a
}

// eventually polls until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// call makes one request and decodes the JSON answer. It reports the status, 0
// when there was no answer.
func call(t *testing.T, method, address string, header http.Header, body, answer any) int {
	t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, r)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0
	}
	if answer != nil && json.Unmarshal(b, answer) != nil {
		t.Fatalf("%s %s answered %d without JSON: %.300s", method, address, res.StatusCode, b)
	}
	return res.StatusCode
}

// A wallet is a customer's wallet, and the customer at its pages and at the
// bank, all over HTTP.
type wallet struct {
	t     *testing.T
	at    addresses
	key   *keypair.Full
	asset txnbuild.CreditAsset
	token string
	// claims says that it can claim balances.
	claims bool
}

// polled is the part of a SEP-24 transaction that the stories look at.
type polled struct {
	ID                    string `json:"id"`
	Status                string `json:"status"`
	AmountIn              string `json:"amount_in"`
	AmountOut             string `json:"amount_out"`
	AmountInAsset         string `json:"amount_in_asset"`
	AmountOutAsset        string `json:"amount_out_asset"`
	Message               string `json:"message"`
	AmountFee             string `json:"amount_fee"`
	StellarTransactionID  string `json:"stellar_transaction_id"`
	ExternalTransactionID string `json:"external_transaction_id"`
	WithdrawAnchorAccount string `json:"withdraw_anchor_account"`
	WithdrawMemo          string `json:"withdraw_memo"`
	MoreInfoURL           string `json:"more_info_url"`
	Deadline              string `json:"user_action_required_by"`
	BalanceID             string `json:"claimable_balance_id"`
	Refunds               struct {
		AmountRefunded string `json:"amount_refunded"`
		AmountFee      string `json:"amount_fee"`

		Payments []struct{ Amount string } `json:"payments"`
	} `json:"refunds"`
}

// newWallet makes an account with a trustline and signs in.
func newWallet(t *testing.T, at addresses) *wallet {
	t.Helper()
	w := newStranger(t, at)
	if code := call(t, http.MethodGet, at.Horizon+"/friendbot?addr="+w.key.Address(), nil, nil, nil); code != http.StatusOK {
		t.Fatalf("friendbot answered %d", code)
	}
	w.submit(&txnbuild.ChangeTrust{Line: w.asset.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit}, nil)
	return w
}

// newStranger signs in without an account.
func newStranger(t *testing.T, at addresses) *wallet {
	t.Helper()
	w := &wallet{t: t, at: at, key: keypair.MustRandom()}
	var info struct{ Deposit map[string]any }
	call(t, http.MethodGet, at.Public+"/sep24/info", nil, nil, &info)
	toml := w.get("/.well-known/stellar.toml")
	for line := range strings.Lines(toml) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		switch strings.TrimSpace(name) {
		case "[[CURRENCIES]]":
			w.asset = txnbuild.CreditAsset{} // lumens have no issuer
		case "code":
			w.asset.Code = value
		case "issuer":
			w.asset.Issuer = value
		}
	}
	if info.Deposit[w.asset.Code] == nil {
		t.Fatalf("/sep24/info does not offer %q of stellar.toml", w.asset.Code)
	}
	w.signIn()
	return w
}

func (w *wallet) get(path string) string {
	w.t.Helper()
	return fetch(w.t, w.at.Public+path)
}

// fetch gets a text.
func fetch(t *testing.T, address string) string {
	t.Helper()
	return fetchAs(t, address, nil)
}

// fetchAs gets a text as whoever the header says.
func fetchAs(t *testing.T, address string, header http.Header) string {
	t.Helper()
	res := send(t, http.MethodGet, address, header, "")
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %v", address, res.StatusCode, err)
	}
	return string(b)
}

// send makes one request whose answer the caller reads and closes.
func send(t *testing.T, method, address string, header http.Header, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// submit puts one operation into the ledger. It returns the hash.
func (w *wallet) submit(op txnbuild.Operation, memo txnbuild.Memo) string {
	w.t.Helper()
	var account struct {
		Sequence int64 `json:"sequence,string"`
	}
	if code := call(w.t, http.MethodGet, w.at.Horizon+"/accounts/"+w.key.Address(), nil, nil, &account); code != http.StatusOK {
		w.t.Fatalf("Horizon answered %d", code)
	}
	tx, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: w.key.Address(), Sequence: account.Sequence}, IncrementSequenceNum: true, BaseFee: 1000, Memo: memo,
		Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewTimeout(120)}, Operations: []txnbuild.Operation{op},
	})
	if err == nil {
		tx, err = tx.Sign(network.TestNetworkPassphrase, w.key)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	hash, err := tx.HashHex(network.TestNetworkPassphrase)
	if err != nil {
		w.t.Fatal(err)
	}
	envelope, err := tx.Base64()
	if err != nil {
		w.t.Fatal(err)
	}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	res := send(w.t, http.MethodPost, w.at.Horizon+"/transactions", form, url.Values{"tx": {envelope}}.Encode())
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b, err := io.ReadAll(res.Body)
		w.t.Fatalf("submit: %s %s %v", res.Status, b, err)
	}
	return hash
}

// memoID is a memo as SEP-24 spells it.
func memoID(t *testing.T, digits string) txnbuild.MemoID {
	t.Helper()
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return txnbuild.MemoID(n)
}

// ask is how the wallet asks: once, and whatever is no success ends the story.
func (w *wallet) ask(method, address string, header http.Header, body, answer any) error {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 40*time.Second)
	defer cancel()
	err := request(ctx, http.DefaultClient, method, address, header, body, answer)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, address, err)
	}
	return nil
}

// signIn does SEP-10.
func (w *wallet) signIn() {
	w.t.Helper()
	var err error
	if w.token, err = signInWallet(w.ask, w.at.Public, w.key); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wallet) bearer() http.Header { return bearer(w.token) }

// begin starts a deposit or withdrawal and goes through the page up to the
// customer's yes.
func (w *wallet) begin(kind, amount string) *page {
	w.t.Helper()
	p, err := openPage(w.ask, w.at.Public, w.token, kind, map[string]string{"asset_code": w.asset.Code, "claimable_balance_supported": strconv.FormatBool(w.claims)}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &page{pageOf: p, w: w}
}

// A page is the customer's page of one transaction.
type page struct {
	pageOf
	w *wallet
}

// must runs a GraphQL operation; data is decoded into answer.
func (p *page) must(query string, variables map[string]any, answer any) {
	p.w.t.Helper()
	if err := asker(p.w.ask).graphql(p.w.at.Public, p.header(), query, variables, answer); err != nil {
		p.w.t.Fatalf("%s: %v", query, err)
	}
}

func answers(nameValue ...string) []map[string]string {
	var all []map[string]string
	for i := 0; i < len(nameValue); i += 2 {
		all = append(all, map[string]string{"name": nameValue[i], "value": nameValue[i+1]})
	}
	return all
}

// agree enters everything and says yes.
func (p *page) agree(amount string, account ...string) {
	p.w.t.Helper()
	p.agreeBy("bank_transfer", amount, account...)
}

// agreeBy is agree by a method, with answers to what it asks.
func (p *page) agreeBy(method, amount string, asked ...string) {
	p.w.t.Helper()
	p.must(`mutation($id: ID!, $a: [Answer!]!) { answer(transaction: $id, answers: $a) { review } }`,
		map[string]any{"id": p.id, "a": answers("first_name", "Ada", "last_name", "Lovelace", "email_address", "ada@example.com")}, nil)
	p.must(`mutation($id: ID!, $in: Amount!) { setAmount(transaction: $id, amountIn: $in) { amountOut } }`,
		map[string]any{"id": p.id, "in": amount}, nil)
	var chosen struct{ ChooseMethod struct{ AmountOut string } }
	p.must(`mutation($id: ID!, $m: ID!, $a: [Answer!]!) { chooseMethod(transaction: $id, method: $m, answers: $a) { amountOut } }`,
		map[string]any{"id": p.id, "m": method, "a": append([]map[string]string{}, answers(asked...)...)}, &chosen)
	p.must(`mutation($id: ID!, $out: Amount!) { agree(transaction: $id, amountOut: $out) { status } }`,
		map[string]any{"id": p.id, "out": chosen.ChooseMethod.AmountOut}, nil)
}

// instruction is one row of how to pay.
func (p *page) instruction(name string) string {
	p.w.t.Helper()
	var a struct {
		Transaction struct {
			Instructions []struct{ Name, Value string }
		}
	}
	p.must(`query($id: ID!) { transaction(id: $id) { instructions { name value } } }`, map[string]any{"id": p.id}, &a)
	for _, i := range a.Transaction.Instructions {
		if i.Name == name {
			return i.Value
		}
	}
	p.w.t.Fatalf("no instruction %q in %+v", name, a)
	return ""
}

// poll is what the wallet does all the time. It checks the arithmetic of every
// answer, and returns nil when there was none.
func (w *wallet) poll(id string) *polled {
	w.t.Helper()
	var a struct{ Transaction *polled }
	if call(w.t, http.MethodGet, w.at.Public+"/sep24/transaction?id="+id, w.bearer(), nil, &a) != http.StatusOK || a.Transaction == nil {
		return nil
	}
	if tx := a.Transaction; tx.AmountOut != "" {
		in, out, fee := anchor.MustAmount(tx.AmountIn), anchor.MustAmount(tx.AmountOut), anchor.MustAmount(tx.AmountFee)
		back, _ := anchor.ParseAmount(tx.Refunds.AmountRefunded) // "" is nothing
		kept, _ := anchor.ParseAmount(tx.Refunds.AmountFee)
		if out != in-fee-back-kept {
			w.t.Fatalf("%s is out of balance: %s - %s - %s - %s != %s", tx.ID, tx.AmountIn, tx.AmountFee, back, kept, tx.AmountOut)
		}
	}
	return a.Transaction
}

// until polls until the transaction has one of the statuses.
func (w *wallet) until(id string, statuses ...string) *polled {
	w.t.Helper()
	var last *polled
	eventually(w.t, fmt.Sprintf("%s is %v", id, statuses), func() bool {
		if tx := w.poll(id); tx != nil {
			last = tx
			if slices.Contains(statuses, tx.Status) {
				return true
			}
			if tx.Status == "error" {
				w.t.Fatalf("%s ended in error", id)
			}
		}
		return false
	})
	return last
}

// balance is what the ledger says the wallet holds.
func (w *wallet) balance() string {
	w.t.Helper()
	var account struct {
		Balances []struct {
			Balance string
			Type    string `json:"asset_type"`
			Code    string `json:"asset_code"`
			Issuer  string `json:"asset_issuer"`
		}
	}
	call(w.t, http.MethodGet, w.at.Horizon+"/accounts/"+w.key.Address(), nil, nil, &account)
	for _, b := range account.Balances {
		if b.Type == "native" {
			b.Code = b.Type
		}
		if b.Code == w.asset.Code && b.Issuer == w.asset.Issuer {
			return b.Balance
		}
	}
	return ""
}

// transfer sends money to the anchor at the simulated bank.
func (w *wallet) transfer(amount, reference string) {
	w.t.Helper()
	code := call(w.t, http.MethodPost, w.at.Public+"/bank/api/transfers", nil, map[string]string{
		"amount": amount, "currency": "USD", "reference": reference, "payer_name": "Ada Lovelace", "payer_account": "555000111",
	}, nil)
	if code != http.StatusCreated {
		w.t.Fatalf("the bank answered %d", code)
	}
}

// statement is what the bank has booked, in and out.
func (w *wallet) statement() (lines []struct{ ID, Direction, Amount, Reference, State string }) {
	w.t.Helper()
	var a struct {
		Lines []struct{ ID, Direction, Amount, Reference, State string }
	}
	call(w.t, http.MethodGet, w.at.Public+"/bank/api/statement", nil, nil, &a)
	return a.Lines
}
