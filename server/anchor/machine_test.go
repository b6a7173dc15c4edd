package anchor

import (
	"errors"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// Tests of the table are inside the package: only here can a transaction be
// put into any status.

var (
	bothKinds = []Kind{Deposit, Withdrawal}
	noon      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// events lists every event, in the order of the table.
func events() []Event {
	var all []Event
	for _, tr := range Table {
		if !slices.Contains(all, tr.Event) {
			all = append(all, tr.Event)
		}
	}
	return all
}

// The facts that guards look at, one bit each.
type truth int

const (
	isAgreed truth = 1 << iota
	isFunded
	isPaid
	isRefunded
	allTruths truth = 1<<iota - 1
)

var truthNames = []string{"agreed", "funded", "paid", "refunded"}

func (f truth) String() string {
	var names []string
	for i, n := range truthNames {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return "{" + strings.Join(names, " ") + "}"
}

// at is a transaction in a status with those facts.
func at(kind Kind, s Status, f truth) *Transaction {
	t := &Transaction{ID: "1", Kind: kind, status: s, AmountIn: 100 * One, StartedAt: noon, UpdatedAt: noon, Deadline: noon.Add(time.Hour)}
	if f&isAgreed != 0 {
		t.AmountsKnown, t.AgreedAt = true, noon
	}
	if f&isFunded != 0 {
		t.FundedAt = noon
	}
	if f&isPaid != 0 {
		t.PaidOutAt = noon
	}
	if f&isRefunded != 0 {
		t.AmountRefunded, t.RefundFee, t.Refunds = 99*One, One, []Refund{{ID: "r", Amount: 99 * One, Fee: One}}
	}
	return t
}

// rule is a line of testdata/machine.txt.
type rule struct {
	kind     Kind
	from, to Status
	event    Event
	yes, no  truth
}

func readRules(t *testing.T) []rule {
	t.Helper()
	b, err := os.ReadFile("testdata/machine.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rules []rule
	var kinds []Kind
	var froms []Status
	seen := map[Kind]map[Status]bool{Deposit: {}, Withdrawal: {}}
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#" || strings.HasPrefix(words[0], "#"):
		case line[0] != '\t':
			kinds, froms = nil, nil
			for _, w := range words {
				if k := Kind(w); slices.Contains(bothKinds, k) {
					kinds = append(kinds, k)
				} else if s := Status(w); slices.Contains(Statuses, s) {
					froms = append(froms, s)
				} else {
					t.Fatalf("machine.txt: %q is neither kind nor status", w)
				}
			}
			for _, k := range kinds {
				for _, s := range froms {
					if seen[k][s] {
						t.Fatalf("machine.txt: %s %s stands twice", k, s)
					}
					seen[k][s] = true
				}
			}
		default:
			if len(words) < 3 || words[1] != "->" || !slices.Contains(events(), Event(words[0])) || !slices.Contains(Statuses, Status(words[2])) {
				t.Fatalf("machine.txt: cannot read %q", line)
			}
			r := rule{event: Event(words[0]), to: Status(words[2])}
			for _, w := range words[min(len(words), 4):] {
				i := slices.Index(truthNames, strings.TrimPrefix(w, "!"))
				if i < 0 {
					t.Fatalf("machine.txt: no fact %q", w)
				}
				if w[0] == '!' {
					r.no |= 1 << i
				} else {
					r.yes |= 1 << i
				}
			}
			for _, r.kind = range kinds {
				for _, r.from = range froms {
					rules = append(rules, r)
				}
			}
		}
	}
	for k, all := range seen {
		if len(all) != len(Statuses) {
			t.Fatalf("machine.txt tells %d statuses of a %s, want all %d", len(all), k, len(Statuses))
		}
	}
	return rules
}

// TestMachine fires every event at every status, for both kinds and all facts.
func TestMachine(t *testing.T) {
	t.Parallel()
	rules := readRules(t)
	now := noon.Add(time.Minute)
	fired := 0
	for _, kind := range bothKinds {
		for _, s := range Statuses {
			for _, ev := range events() {
				for f := range allTruths + 1 {
					var want []Status
					for _, r := range rules {
						if r.kind == kind && r.from == s && r.event == ev && f&r.yes == r.yes && f&r.no == 0 {
							want = append(want, r.to)
						}
					}
					if len(want) > 1 {
						t.Fatalf("machine.txt: %s %s %v %s has %d answers", kind, s, f, ev, len(want))
					}
					a := at(kind, s, f)
					was := *a
					err := a.fire(ev, now)
					if len(want) == 0 {
						if KindOf(err) != Conflict || err == nil {
							t.Errorf("%s %s %v: %s is not refused: %s, %v", kind, s, f, ev, a.status, err)
						}
						if !reflect.DeepEqual(*a, was) {
							t.Errorf("%s %s %v: a refused %s changed the transaction", kind, s, f, ev)
						}
						continue
					}
					fired++
					if err != nil || a.status != want[0] {
						t.Errorf("%s %s %v: %s leads to %s, %v; want %s", kind, s, f, ev, a.status, err, want[0])
						continue
					}
					if want := []Step{{ev, s, want[0], now}}; !slices.Equal(a.Trail(), want) {
						t.Errorf("%s %s: the trail of %s is %v", kind, s, ev, a.Trail())
					}
					ended := a.status == Completed || a.status == Refunded
					if !a.UpdatedAt.Equal(now) || a.CompletedAt.IsZero() == ended {
						t.Errorf("%s %s: %s set updated_at %v, completed_at %v", kind, s, ev, a.UpdatedAt, a.CompletedAt)
					}
				}
			}
		}
	}
	if fired == 0 {
		t.Error("nothing was ever allowed")
	}
}

// TestOneAnswer holds the table to at most one line for anything that happens.
func TestOneAnswer(t *testing.T) {
	t.Parallel()
	for _, kind := range bothKinds {
		for _, s := range Statuses {
			for f := range allTruths + 1 {
				answers := map[Event]int{}
				for _, tr := range Table {
					if (tr.Kinds == nil || slices.Contains(tr.Kinds, kind)) && slices.Contains(tr.From, s) &&
						(tr.Guard.Holds == nil || tr.Guard.Holds(at(kind, s, f))) {
						answers[tr.Event]++
					}
				}
				for ev, n := range answers {
					if n > 1 {
						t.Errorf("%s %s %v: %d lines answer %s", kind, s, f, n, ev)
					}
				}
			}
		}
	}
	for _, tr := range Table {
		if (tr.Guard.Name == "") != (tr.Guard.Holds == nil) || tr.Why == "" || len(tr.From) == 0 || slices.Contains(tr.From, tr.To) {
			t.Errorf("an odd line: %v %v -> %s", tr.Event, tr.From, tr.To)
		}
	}
}

// brings is what an event adds to or takes from the facts before its guard
// looks: money that arrives, leaves, comes back.
func brings(ev Event, s Status, f truth) []truth {
	switch ev {
	case Agreed:
		return []truth{f | isAgreed}
	case FundsReceived, ArrivedSmall, ArrivedLarge, Revived:
		return []truth{f | isFunded}
	case HeldForReview:
		if s == PendingUserTransferStart || s == PendingExternal || s == Expired {
			return []truth{f | isFunded}
		}
	case PayoutApplied, BankSettled, PickedUp:
		return []truth{f | isPaid}
	case BankReturned:
		return []truth{f &^ isPaid}
	case RefundDone:
		return []truth{f | isRefunded}
	case RefundReturned:
		return []truth{f &^ isRefunded}
	case Submitted:
		return []truth{f, f | isAgreed} // the yes may come before the review
	default:
	}
	return []truth{f}
}

type place struct {
	status Status
	facts  truth
}

// reachable is every status with every set of facts that a life can lead to.
func reachable(kind Kind) map[place][]place {
	next := map[place][]place{}
	todo := []place{{Incomplete, 0}}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		if _, done := next[p]; done {
			continue
		}
		next[p] = []place{}
		for _, ev := range events() {
			for _, f := range brings(ev, p.status, p.facts) {
				if tr, ok := Find(at(kind, p.status, f), ev); ok {
					q := place{tr.To, f}
					next[p] = append(next[p], q)
					todo = append(todo, q)
				}
			}
		}
	}
	return next
}

// TestLives walks every life a transaction can have.
func TestLives(t *testing.T) {
	t.Parallel()
	never := map[Kind][]Status{
		Deposit:    {PendingUserTransferComplete},
		Withdrawal: {PendingTrust, PendingStellar, NoMarket},
	}
	for _, kind := range bothKinds {
		lives := reachable(kind)
		reached := map[Status]bool{}
		for p, next := range lives {
			reached[p.status] = true
			// What expired before anybody agreed has no instructions to pay by.
			stuck := len(next) == 0 && p.status != Completed && p.status != Refunded
			if stuck && (p.status != Expired || p.facts&isAgreed != 0) {
				t.Errorf("a %s that is %s %v has no way out", kind, p.status, p.facts)
			}
			switch p.status {
			case PendingStellar, PendingTrust, NoMarket, TooSmall, TooLarge, OnHold, PendingUserTransferComplete:
				if p.facts&isFunded == 0 || p.facts&isPaid != 0 {
					t.Errorf("a %s can be %s %v", kind, p.status, p.facts)
				}
			case Completed:
				if p.facts&(isFunded|isPaid) != isFunded|isPaid {
					t.Errorf("a %s can be completed %v", kind, p.facts)
				}
			case Refunded:
				if p.facts&(isFunded|isRefunded) != isFunded|isRefunded || p.facts&isPaid != 0 {
					t.Errorf("a %s can be refunded %v", kind, p.facts)
				}
			case Expired, Incomplete, PendingUser:
				if p.facts&isFunded != 0 {
					t.Errorf("a funded %s can be %s %v", kind, p.status, p.facts)
				}
			case PendingUserTransferStart:
				if p.facts&isFunded != 0 || p.facts&isAgreed == 0 {
					t.Errorf("a %s can wait for money %v", kind, p.facts)
				}
			case PendingExternal:
				if (p.facts&isFunded != 0) != (kind == Withdrawal) {
					t.Errorf("a %s can be %s %v", kind, p.status, p.facts)
				}
			default:
			}
			if p.facts&isFunded != 0 && p.facts&isAgreed == 0 {
				t.Errorf("a %s that is %s took money for amounts nobody agreed to", kind, p.status)
			}
		}
		for _, s := range Statuses {
			if reached[s] == slices.Contains(never[kind], s) {
				t.Errorf("a %s reaches %s: %v", kind, s, reached[s])
			}
		}
	}
}

// TestFinal says which statuses end a life: only the bank, and a balance that
// nobody claimed, can bring money back.
func TestFinal(t *testing.T) {
	t.Parallel()
	for _, tr := range Table {
		for _, s := range tr.From {
			if s == Completed && tr.Event != BankReturned && tr.Event != Reclaimed || s == Refunded && tr.Event != RefundReturned {
				t.Errorf("%s leaves %s", tr.Event, s)
			}
		}
	}
	for _, s := range Statuses {
		if want := s == Completed || s == Refunded || s == Expired || s == Failed; s.Final() != want {
			t.Errorf("%s.Final() is %v", s, s.Final())
		}
	}
	if len(Statuses) != 16 {
		t.Errorf("%d statuses, SEP-24 has 16", len(Statuses))
	}
}

// methods are the ways in which the table is reached from outside.
func methods() map[string]func(*Transaction) error {
	now := noon.Add(2 * time.Hour)
	d := noon.Add(time.Hour)
	return map[string]func(*Transaction) error{
		"Agree": func(a *Transaction) error {
			a.AmountsKnown, a.Reviewed, a.Method = true, true, "bank_transfer"
			return a.Agree(Instructions{Reference: "R", AnchorAccount: "G", Memo: IDMemo(1), Deadline: d}, now)
		},
		"Submit": func(a *Transaction) error {
			a.AmountsKnown, a.Method = true, "bank_transfer"
			return a.Submit(Instructions{Deadline: d}, now)
		},
		"Sent":           func(a *Transaction) error { return a.Sent(now) },
		"Cancel":         func(a *Transaction) error { return a.Cancel(now) },
		"Expire":         func(a *Transaction) error { return a.Expire(now) },
		"PayoutSigned":   func(a *Transaction) error { return a.PayoutSigned(now) },
		"PayoutReturned": func(a *Transaction) error { return a.PayoutReturned(now) },
		"TrustMissing":   func(a *Transaction) error { return a.TrustMissing(d, now) },
		"TrustReady":     func(a *Transaction) error { return a.TrustReady(now) },
		"PaidOnLedger":   func(a *Transaction) error { return a.PaidOnLedger("hash", noon, now) },
		"Reclaimed":      func(a *Transaction) error { return a.Reclaimed(now) },
		"BankTold":       func(a *Transaction) error { return a.BankTold(now) },
		"CashReady":      func(a *Transaction) error { return a.CashReady(d, now) },
		"PaidByBank":     func(a *Transaction) error { return a.PaidByBank("ref", noon, now) },
		"Hold":           func(a *Transaction) error { return a.Hold(now) },
		"Release":        func(a *Transaction) error { return a.Release(now) },
		"Fail":           func(a *Transaction) error { return a.Fail("note", now) },
	}
}

// TestRefusalChangesNothing: a caller that overlooks a refusal must not save
// half a step. Only proof that money left is kept.
func TestRefusalChangesNothing(t *testing.T) {
	t.Parallel()
	for name, call := range methods() {
		moved := false
		for _, kind := range bothKinds {
			for _, s := range Statuses {
				for f := range allTruths + 1 {
					a := at(kind, s, f)
					if name == "Agree" || name == "Submit" { // what it asks for is not what it changes
						a.AmountsKnown, a.Reviewed, a.Method = true, true, "bank_transfer"
					}
					was := *a
					err := call(a)
					if err == nil {
						moved = true
						if again := name == "CashReady" && s == PendingUserTransferComplete; len(a.Trail()) != 1 && !again {
							t.Errorf("%s of a %s %s: trail %v", name, kind, s, a.Trail())
						}
						continue
					}
					if KindOf(err) != Conflict {
						t.Errorf("%s of a %s %s: %v, want a conflict", name, kind, s, err)
					}
					if name == "PaidOnLedger" || name == "PaidByBank" {
						// Money that left has left: it must not be paid or given back again.
						if !a.PaidOut() || f&isPaid != 0 && !reflect.DeepEqual(*a, was) {
							t.Errorf("a refused %s is forgotten by a %s that is %s %v", name, kind, s, f)
						}
						for _, ev := range []Event{PayoutSigned, BankTold, Retried, RefundDone, PickupReady, ReleasedHold} {
							if _, ok := Find(a, ev); ok && f&isFunded != 0 {
								t.Errorf("a %s that is %s and paid allows %s", kind, s, ev)
							}
						}
						continue
					}
					if !reflect.DeepEqual(*a, was) {
						t.Errorf("a refused %s changed a %s that is %s %v", name, kind, s, f)
					}
				}
			}
		}
		if !moved {
			t.Errorf("%s was never allowed", name)
		}
	}
}

// TestRestore gives a read transaction its status once.
func TestRestore(t *testing.T) {
	t.Parallel()
	a := &Transaction{Kind: Deposit}
	a.Restore(OnHold)
	if a.Status() != OnHold || len(a.Trail()) != 0 {
		t.Errorf("restored as %s with %v", a.Status(), a.Trail())
	}
	defer func() {
		if recover() == nil {
			t.Error("a second Restore went through")
		}
	}()
	a.Restore(Completed)
}

var update = flag.Bool("update", false, "write docs/state-machine.md instead of comparing it")

// TestDiagram holds docs/state-machine.md to the table.
//
//	go test ./server/anchor -run TestDiagram -update
func TestDiagram(t *testing.T) {
	t.Parallel()
	const path = "../../docs/state-machine.md"
	want := diagram()
	if *update {
		if err := os.MkdirAll("../../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && string(got) != want {
		t.Fatalf("%s is not what the table says; run: go test ./server/anchor -run TestDiagram -update", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func diagram() string {
	var b strings.Builder
	b.WriteString(`# The state machine

Drawn from the table in ` + "`server/anchor/machine.go`" + `; don't edit. To draw it again:

    go test ./server/anchor -run TestDiagram -update

Statuses are SEP-24's. What no line allows is refused with a conflict. A person
can send almost anything to ` + "`error`" + ` (event ` + "`failed`" + `); the drawings leave those lines
out, the table below has them.
`)
	for _, kind := range bothKinds {
		title := strings.ToUpper(string(kind[:1])) + string(kind[1:])
		b.WriteString("\n## " + title + "\n\n```mermaid\nstateDiagram-v2\n    [*] --> incomplete\n")
		// What this kind reaches, so that its drawing has no loose ends.
		reached := map[Status]bool{}
		for p := range reachable(kind) {
			reached[p.status] = true
		}
		type arrow struct{ from, to Status }
		var order []arrow
		events := map[arrow][]string{}
		for _, from := range Statuses {
			for _, tr := range Table {
				if tr.Event == Broke || tr.Kinds != nil && !slices.Contains(tr.Kinds, kind) ||
					!slices.Contains(tr.From, from) || !reached[from] || !moves(kind, from, tr) {
					continue
				}
				a := arrow{from, tr.To}
				if events[a] == nil {
					order = append(order, a)
				}
				events[a] = append(events[a], string(tr.Event))
			}
		}
		for _, a := range order {
			b.WriteString("    " + string(a.from) + " --> " + string(a.to) + ": " + strings.Join(events[a], ", ") + "\n")
		}
		b.WriteString("    completed --> [*]\n    refunded --> [*]\n    expired --> [*]\n```\n")
	}
	b.WriteString("\n## Every line\n\n| event | kind | from | if | to | why |\n|---|---|---|---|---|---|\n")
	for _, tr := range Table {
		kind, guard := "both", tr.Guard.Name
		if tr.Kinds != nil {
			kind = string(tr.Kinds[0])
		}
		if guard == "" {
			guard = "always"
		}
		from := make([]string, len(tr.From))
		for i, s := range tr.From {
			from[i] = "`" + string(s) + "`"
		}
		b.WriteString("| `" + string(tr.Event) + "` | " + kind + " | " + strings.Join(from, ", ") + " | " + guard +
			" | `" + string(tr.To) + "` | " + tr.Why + " |\n")
	}
	return b.String()
}

// moves reports whether a line applies to any life of the kind in that status.
func moves(kind Kind, from Status, tr Transition) bool {
	for p := range reachable(kind) {
		if p.status != from {
			continue
		}
		for _, f := range brings(tr.Event, from, p.facts) {
			if found, ok := Find(at(kind, from, f), tr.Event); ok && found.To == tr.To {
				return true
			}
		}
	}
	return false
}
