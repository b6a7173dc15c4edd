package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/txnbuild"
)

// balanceOf is the balance of the anchor in dev's folder, whether it runs or not.
func balanceOf(t testing.TB, dir, horizon string, settings ...string) *balance {
	t.Helper()
	cfg, err := Load(filepath.Join(dir, configFile), append(settings, "WINDLASS_NETWORK_HORIZON="+horizon))
	if err != nil {
		t.Fatal(err)
	}
	return &balance{Config: cfg, Horizon: horizon}
}

// devHelps has the anchor of dev's folder help customers who cannot receive yet,
// and gives it limits.
func devHelps(t testing.TB, dir string) {
	t.Helper()
	if _, err := devFiles(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, configFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	helps := strings.Replace(string(text), "\ndecimals = 2\n", "\ndecimals = 2\ncreate_account = \"2\"\ntop_up = \"0.5\"\npayout_limit = \"500\"\ndaily_limit = \"600\"\n", 1)
	if err := os.WriteFile(path, []byte(helps), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestBalancedFinds spoils books after a deposit and a withdrawal, each time in
// another way: no such thing may pass for balanced.
func TestBalancedFinds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	devHelps(t, dir)
	network := launch(t, "sandbox", "--dir", filepath.Join(dir, "network"), "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "200ms")
	p, at := dev(t, dir, "--public-port", "0", "--admin-port", "0", "--horizon", network.told(t, `http://localhost:\d+`))
	w := newWallet(t, at)
	deposit := w.begin("deposit", "100")
	deposit.agree("100")
	w.transfer("100", deposit.instruction("reference"))
	w.until(deposit.id, "completed")
	withdrawal := w.begin("withdrawal", "50")
	withdrawal.agree("50", "bank_account_number", "777000999", "bank_name", "Far Bank")
	tx := w.until(withdrawal.id, "pending_user_transfer_start")
	w.submit(&txnbuild.Payment{Destination: tx.WithdrawAnchorAccount, Amount: "50", Asset: w.asset}, memoID(t, tx.WithdrawMemo))
	w.submit(&txnbuild.Payment{Destination: tx.WithdrawAnchorAccount, Amount: "3", Asset: w.asset}, nil)
	w.transfer("7", "what for?")
	w.until(withdrawal.id, "completed")
	stranger := newStranger(t, at)
	stranger.claims = true
	bought := stranger.begin("deposit", "30")
	bought.agree("30")
	stranger.transfer("30", bought.instruction("reference"))
	stranger.until(bought.id, "completed")
	open := w.begin("deposit", "20")
	open.agree("20")
	reconciles(t, dir, at)
	if v := balanced(t, balanceOf(t, dir, at.Horizon)); v.Deposits != 2 || v.Withdrawals != 1 || v.Refunds+v.Open+v.Parked != 0 {
		t.Errorf("while it runs: %+v", v)
	}
	if code := p.stop(t); code != 0 {
		t.Fatalf("it ended with %d", code)
	}
	b := balanceOf(t, dir, at.Horizon)
	balanced(t, b)

	sound, err := os.ReadFile(b.Config.Database.Path)
	if err != nil {
		t.Fatal(err)
	}
	b.Config.Database.Path = filepath.Join(dir, "spoilt.db")
	for _, tt := range []struct {
		spoil, text string
		kind        findingKind
	}{
		{`DELETE FROM payments WHERE state = 'matched'`, "has no row", lost},
		{`DELETE FROM payments WHERE state = 'unmatched'`, "has no row", lost},
		{`UPDATE payments SET amount = amount + 1 WHERE state = 'unmatched'`, "its row says 3.0000001", unbalanced},
		{`INSERT INTO payments SELECT '77', 77, account, sender, asset, amount, memo_type, memo, hash, ledger, at, state, reason, '', 0 FROM payments LIMIT 1`, "not on the ledger", unbalanced},
		{`UPDATE payments SET state = 'refunding' WHERE state = 'unmatched'`, "are to bring it back", lost},
		{`UPDATE bank_lines SET state = 'refunded' WHERE state = 'unmatched'`, "are to bring it back", lost},
		{`UPDATE bank_lines SET state = 'matched' WHERE state = 'unmatched'`, "suspense is off by", unbalanced},
		{`UPDATE transactions SET amount_refunded = 10000000, amount_fee = amount_fee - 10000000 WHERE status = 'completed'`, "should go back", lost},
		{`UPDATE transactions SET refunds = '[{"id": "x", "amount": "1", "fee": "0"}]' WHERE status = 'completed'`, "tells of 1", unbalanced},
		{`UPDATE payouts SET purpose = 'refund'`, "went back", doubled},
		{`DELETE FROM bank_lines WHERE state = 'unmatched'`, "has no row", lost},
		{`UPDATE bank_lines SET amount = amount + 1`, "its row says", unbalanced},
		{`UPDATE envelopes SET hash = 'another ' || hash`, "is no intent's", doubled},
		{`UPDATE envelopes SET state = 'impossible'`, "the books hold it for impossible", doubled},
		{`UPDATE payouts SET amount = amount - 1`, "none of its envelope's intents", doubled},
		{`UPDATE payouts SET state = 'queued'`, "is on the ledger already", doubled},
		{`UPDATE envelopes SET hash = 'another ' || hash`, "has none on the ledger", lost},
		{`UPDATE bank_payouts SET state = 'refused'`, "paid at the bank", doubled},
		{`UPDATE payouts SET state = 'cancelled'`, "is on the ledger already", doubled},
		{`UPDATE bank_payouts SET state = 'cancelled'`, "paid at the bank", doubled},
		{`UPDATE bank_payouts SET amount = 1`, "for the order", unbalanced},
		{`UPDATE bank_payouts SET id = 'another'`, "paid in the books and not at the bank", lost},
		{`UPDATE bank_payouts SET id = 'another'`, "not in the books", doubled},
		{`UPDATE transactions SET paid_out_at = 0 WHERE status = 'completed'`, `"paid out" is false`, unbalanced},
		{`UPDATE transactions SET funded_at = 0 WHERE status = 'completed'`, `"funded" is false`, unbalanced},
		{`UPDATE transactions SET status = 'refunded' WHERE status = 'completed'`, "is refunded, of", unbalanced},
		{`UPDATE transactions SET status = 'expired' WHERE status = 'completed'`, "is expired", unbalanced},
		{`UPDATE transactions SET amount_fee = amount_fee + 1 WHERE amounts_known = 1`, "that are left is given", unbalanced},
		{`UPDATE transactions SET amount_fee = -1`, "-0.0000001 fee", unbalanced},
		{`UPDATE transactions SET rate = '1/2' WHERE status = 'completed'`, `"1/2" for a rate`, unbalanced},
		{`UPDATE transactions SET rate = '1/2/2' WHERE status = 'completed'`, "better than at 1/2/2", doubled},
		{`UPDATE transactions SET rate = '2/1/2'`, "which was never offered", unbalanced},
		{`UPDATE postings SET account = 'losses' WHERE account = 'exchange' AND amount > 0`, "(exchange)", unbalanced},
		{`UPDATE postings SET asset = 'stellar:native' WHERE account = 'exchange' AND amount > 0`, "(exchange)", unbalanced},
		{`UPDATE payouts SET asset = 'stellar:native' WHERE purpose = 'payout'`, "is of stellar:native", unbalanced},
		{`UPDATE bank_payouts SET asset = 'iso4217:EUR'`, "is of iso4217:EUR", unbalanced},
		{`UPDATE payments SET asset = 'stellar:native' WHERE state = 'matched'`, "is matched to withdrawal", unbalanced},
		{`UPDATE bank_lines SET asset = 'iso4217:EUR' WHERE state = 'matched'`, "is matched to deposit", unbalanced},
		{`UPDATE transactions SET status = 'pending_anchor', paid_out_at = 0, completed_at = 0 WHERE kind = 'withdrawal'`, "nothing will ever pay it", lost},
		{`UPDATE transactions SET status = 'pending_stellar' WHERE funded_at = 0`, "is pending_stellar", unbalanced},
		{`UPDATE audit SET from_status = 'on_hold' WHERE event = 'payout_applied'`, "its next step begins at", unbalanced},
		{`UPDATE audit SET event = 'retried' WHERE event = 'payout_applied'`, "the table does not allow", unbalanced},
		{`DELETE FROM audit WHERE event = 'payout_applied'`, "its trail ends at", unbalanced},
		{`UPDATE transactions SET on_change = 'https://wallet.example/'`, "does not tell of", lost},
		{`INSERT INTO outbox (transaction_id, kind, url, status, state, attempts, not_before, created_at) SELECT id, 'on_change_callback', '', 'completed', 'due', 0, 0, 0 FROM transactions;
			INSERT INTO outbox (transaction_id, kind, url, status, state, attempts, not_before, created_at) SELECT id, 'on_change_callback', '', 'completed', 'delivered', 0, 0, 0 FROM transactions`, "before an earlier one", unbalanced},
		{`UPDATE transactions SET callback = 'https://wallet.example/'`, "callbacks in the outbox", unbalanced},
		{`UPDATE postings SET amount = amount + 1 WHERE account = 'fees'`, "sums to", unbalanced},
		{`UPDATE postings SET account = 'capital' WHERE account = 'fees'`, "(fees) for deposit", unbalanced},
		{`UPDATE transactions SET fee_lines = '' WHERE status = 'completed'`, "the lines of its fee are 0", unbalanced},
		{`UPDATE transactions SET fee_lines = 'fixed' WHERE status = 'completed'`, "cannot be read", unbalanced},
		{`UPDATE postings SET account = 'capital' WHERE account = 'customers' AND amount > 0`, "the journal owes", unbalanced},
		{`UPDATE postings SET account = 'distribution' WHERE account = 'suspense'`, "the journal differs", unbalanced},
		{`UPDATE postings SET account = 'in_flight' WHERE account = 'fees'`, "is in flight", unbalanced},
		{`UPDATE postings SET account = 'losses' WHERE account = 'reserves'`, "was given to customers' accounts is off by", unbalanced},
		{`UPDATE payouts SET cause_id = destination || 'X' WHERE purpose = 'create'`, "for which nobody has paid", doubled},
		{`INSERT INTO payouts (id, cause_kind, cause_id, purpose, ordinal, asset, amount, source, destination, memo_type, memo, state, envelope_id, attempts, reason, not_before, created_at)
			SELECT 'another', cause_kind, cause_id, purpose, 1, asset, amount, source, destination, memo_type, memo, 'queued', '', 0, '', 0, created_at FROM payouts WHERE purpose = 'create'`, "create more than once", doubled},
		{`UPDATE payouts SET amount = 5000000001 WHERE purpose = 'payout'`, "is above the limit of 500, ", doubled},
		{`UPDATE bank_payouts SET amount = 5000000001`, "is above the limit of 500, ", doubled},
		{`UPDATE payouts SET amount = 4000000000 WHERE purpose = 'payout'`, "have left within a day", doubled},
		{`UPDATE payouts SET requested_by = 'staff:ana'; INSERT INTO audit (at, actor, transaction_id, event, from_status, to_status, subject)
			SELECT 0, 'staff:ana', '', 'approvePayout', '', '', 'payout:' || id FROM payouts WHERE purpose = 'payout'`, "was asked for and let go by staff:ana", doubled},
		{`UPDATE transactions SET balance_id = ''`, "is told of the balance", lost},
		{`UPDATE payouts SET destination = source WHERE operation = 'claimable_balance'`, "can be claimed by", doubled},
		{`UPDATE payouts SET amount = amount + 1 WHERE operation = 'claimable_balance'`, "the balance", unbalanced},
		{`UPDATE payouts SET result_id = substr(result_id, 1, 71) || char(97 + (substr(result_id, 72) = 'a')) WHERE result_id <> ''`, "is gone, to", lost},
		{`UPDATE transactions SET reviewed = 0 WHERE status = 'completed'`, "its customer was not accepted", doubled},
		{`UPDATE transactions SET status = 'pending_anchor' WHERE funded_at = 0`, `waits for a review, and that of its customer is "accepted"`, lost},
		{`INSERT INTO outbox (transaction_id, kind, url, status, state, attempts, not_before, created_at)
			SELECT transaction_id, kind, url, status, state, attempts, not_before, created_at FROM outbox WHERE kind = 'mail'`, "has two e-mails about", doubled},
		{`UPDATE outbox SET status = 'pending_stellar' WHERE kind = 'mail'`, "which is no step to tell of", unbalanced},
	} {
		if err := os.WriteFile(b.Config.Database.Path, sound, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite3", b.Config.Database.Path+"?_foreign_keys=off")
		if err == nil {
			_, err = db.ExecContext(t.Context(), tt.spoil)
		}
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		spoilt(t, b, tt.spoil, tt.text, tt.kind)
	}

	// Books that are sound, of an anchor that should have asked for more.
	if err := os.WriteFile(b.Config.Database.Path, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	side := &b.Config.Assets[0].Deposit
	side.Levels = []LevelConfig{{From: "50", Fields: []string{"photo_id_front"}, Review: "none"}}
	spoilt(t, b, "a document", "of 100 is paid out, and its customer has shown no photo_id_front", unbalanced)
	side.Levels[0].Review = "person"
	spoilt(t, b, "a level", "of 100 is paid out without a person's yes to its customer", doubled)
	side.Levels, side.Review = nil, "person"
	spoilt(t, b, "a review", "of 30 is paid out without a person's yes to its customer", doubled)
}

// spoilt looks at a balance that must find something.
func spoilt(t *testing.T, b *balance, spoil, text string, kind findingKind) {
	t.Helper()
	v, err := b.look(t.Context())
	if err != nil {
		t.Fatalf("%s: %v", spoil, err)
	}
	if !slices.ContainsFunc(v.Findings, func(f finding) bool { return f.Kind == kind && strings.Contains(f.Text, text) }) {
		t.Errorf("%s: found %v, want %s: … %s", spoil, v.Findings, kind, text)
	}
}
