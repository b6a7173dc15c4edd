package reconcile

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"windlass/server/anchor"
)

// Report is what was found.
type Report struct {
	// Agrees says that nothing differs but what is not booked yet, or was explained.
	Agrees   bool      `json:"agrees"`
	Ledger   uint32    `json:"ledger"` // as of which the ledger was compared
	ClosedAt time.Time `json:"closed_at"`
	Lines    []Line    `json:"lines"`
	Items    []Item    `json:"items"`
	// Notes say what was not compared.
	Notes []string `json:"notes"`
	// Incomplete says that something was not compared that should have been: that
	// the rest agrees proves less.
	Incomplete bool `json:"incomplete"`
}

// Place is where money is.
type Place string

// The places, in the order of the report.
const (
	OurAccounts Place = "our accounts" // on the ledger: the journal's distribution and in_flight
	Issued      Place = "issued"       // all that exists of an asset of ours
	Bank        Place = "bank"         // the journal's bank and in_flight
	// Unexplained is what left our accounts by operations that nobody has
	// accounted for. The books say so themselves.
	Unexplained Place = "unexplained"
)

var places = []Place{OurAccounts, Issued, Bank, Unexplained}

// Line is one asset in one place.
type Line struct {
	Place   Place         `json:"place"`
	Asset   anchor.Asset  `json:"asset"`
	Journal anchor.Amount `json:"journal"`
	Actual  anchor.Amount `json:"actual"`
	// Explained is what is not booked yet, or a person has explained.
	Explained anchor.Amount `json:"explained"`
	// Difference is what remains: actual less journal less explained.
	Difference anchor.Amount `json:"difference"`
}

// Item is one reason why the journal and a place differ.
type Item struct {
	Place  Place         `json:"place"`
	Asset  anchor.Asset  `json:"asset"`
	Amount anchor.Amount `json:"amount"` // by which the actual is more than the journal
	Why    Why           `json:"why"`
	// NotBooked says that the books will have it by themselves; Explained that a
	// person has looked into it. All others are differences.
	NotBooked bool `json:"not_booked"`
	Explained bool `json:"explained"`
	// Reference is the ledger transaction's hash, or the bank's id.
	Reference string `json:"reference,omitempty"`
	// Transactions are those of ours that it belongs to, as far as can be told.
	Transactions []string  `json:"transactions,omitempty"`
	At           time.Time `json:"at,omitzero"`
	// Journal and Actual are the two amounts of AmountsDiffer.
	Journal anchor.Amount `json:"journal,omitzero"`
	Actual  anchor.Amount `json:"actual,omitzero"`

	hash string // the inner transaction's, where Reference is the fee bump's
}

// differs says that it is neither on its way into the books nor explained.
func (i Item) differs() bool { return !i.NotBooked && !i.Explained }

// Why is a stable word for the reason.
type Why string

// What is not booked yet.
const (
	NotRead        Why = "not_read"
	FeeNotRead     Why = "fee_not_read"
	NotSettled     Why = "not_settled"
	CreditNotRead  Why = "credit_not_read"
	OrderNotBooked Why = "order_not_booked"
)

// What is a difference.
const (
	LeftUnexplained Why = "left_unexplained"
	OrderInDoubt    Why = "order_in_doubt"
	OrderDiffers    Why = "order_differs"
	LineRefused     Why = "line_refused"
	NotInJournal    Why = "not_in_journal"
	OnlyInJournal   Why = "only_in_journal"
	AmountsDiffer   Why = "amounts_differ"
	Unknown         Why = "unknown"
)

var sentences = map[Why]string{
	NotRead:         "a payment that the books have not read yet",
	FeeNotRead:      "a network fee that the books have not read yet",
	NotSettled:      "an envelope in the ledger that the books still have as on its way",
	CreditNotRead:   "a credit that the books have not read yet",
	OrderNotBooked:  "an order that the bank has carried out, and the books have not heard of it yet",
	LeftUnexplained: "it left by an operation that is not ours",
	OrderInDoubt:    "the bank has carried out an order that was left to a person",
	OrderDiffers:    "the bank has carried out an order again, or with another amount",
	LineRefused:     "a line of the statement that could not be booked, and was left to a person",
	NotInJournal:    "it is not in the journal",
	OnlyInJournal:   "it is in the journal only",
	AmountsDiffer:   "the journal has another amount",
	Unknown:         "nothing that could be read explains it",
}

// shown is how many items of a line the text shows.
const shown = 50

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "As of ledger %d, closed at %s.\n\n", r.Ledger, r.ClosedAt.UTC().Format(time.RFC3339))
	rows := [][6]string{{"asset", "place", "journal", "actual", "not booked yet", "difference"}}
	for _, l := range r.Lines {
		rows = append(rows, [6]string{name(l.Asset), string(l.Place), stroops(l.Journal), stroops(l.Actual), stroops(l.Explained), stroops(l.Difference)})
	}
	var width [6]int
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		fmt.Fprintf(&b, "%-*s  %-*s", width[0], row[0], width[1], row[1])
		for i := 2; i < len(row); i++ {
			fmt.Fprintf(&b, "  %*s", width[i], row[i])
		}
		b.WriteByte('\n')
	}
	for _, l := range r.Lines {
		r.writeItems(&b, l)
	}
	b.WriteByte('\n')
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "Note: %s.\n", n)
	}
	b.WriteString(r.verdict())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) writeItems(b *strings.Builder, l Line) {
	n := 0
	for _, i := range r.Items {
		if i.Place != l.Place || i.Asset != l.Asset {
			continue
		}
		if n++; n == 1 {
			fmt.Fprintf(b, "\n%s, %s:\n", name(l.Asset), l.Place)
		}
		if n > shown {
			continue
		}
		fmt.Fprintf(b, "  %20s  %s", stroops(i.Amount), sentences[i.Why])
		if i.Why == AmountsDiffer {
			fmt.Fprintf(b, ", %s instead of %s", stroops(i.Journal), stroops(i.Actual))
		}
		if i.Explained {
			b.WriteString(" (explained)")
		}
		b.WriteByte('\n')
		var more []string
		if !i.At.IsZero() {
			more = append(more, i.At.UTC().Format(time.RFC3339))
		}
		if i.Reference != "" {
			more = append(more, i.Reference)
		}
		if len(i.Transactions) > 0 {
			more = append(more, "transaction "+strings.Join(i.Transactions, ", "))
		}
		if len(more) > 0 {
			fmt.Fprintf(b, "  %20s  %s\n", "", strings.Join(more, "  "))
		}
	}
	if n > shown {
		fmt.Fprintf(b, "  %20s  and %d more, which --json lists\n", "", n-shown)
	}
}

// verdict is the last line.
func (r *Report) verdict() string {
	differ := 0
	for _, l := range r.Lines {
		if l.Difference != 0 {
			differ++
		}
	}
	switch {
	case !r.Agrees && differ == 0:
		return "The sums agree, but something that is listed above DIFFERS.\n"
	case !r.Agrees && differ == 1:
		return "The journal DIFFERS in one line.\n"
	case !r.Agrees:
		return fmt.Sprintf("The journal DIFFERS in %d lines.\n", differ)
	case r.Incomplete:
		return "What could be compared agrees.\n"
	case len(r.Items) > 0:
		return "The journal agrees, but for what is not booked yet or was explained.\n"
	}
	return "The journal agrees.\n"
}

// stroops writes an amount to the stroop.
func stroops(a anchor.Amount) string { return a.Fixed(anchor.Decimals) }

// name is an asset for people; several may have one code.
func name(a anchor.Asset) string {
	if len(a.Issuer) > 8 {
		return a.Code + " " + a.Issuer[:4] + "…" + a.Issuer[len(a.Issuer)-4:]
	}
	return a.Symbol()
}
