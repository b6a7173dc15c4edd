// Package reconcile compares the journal with what it is about: our accounts on
// the ledger, what exists of our assets, and the account at the bank. It says to
// the stroop where they differ, and which transactions are behind it.
//
// It reads only, and must not mend anything: what a difference means is for a
// person to say.
//
// # Two clocks
//
// The books, the ledger and the bank cannot be stopped together. So the journal
// is read first, in one moment, and then the ledger as of one of its numbers, at
// which all that the journal tells of has happened. What has happened since, or
// before but was not read yet, is found by the cursors, the envelopes and the
// orders that were open in that moment: it is listed as not booked yet and is no
// difference. The bank comes last, and what is new there is found the same way.
//
// # First the sums, then the lines
//
// Sums are cheap to compare, and mostly agree. Only if one does not, everything
// is read again, with every line of the journal, every payment of the ledger's
// history and every booking at the bank, and put side by side by hash and by the
// bank's own ids. That takes time with long books, and happens when somebody
// wants to know.
package reconcile

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/rail"
	"windlass/server/store"
)

// Config says what is compared.
type Config struct {
	// Accounts are those whose balances the journal keeps, as package incoming
	// follows them; Own are our other accounts.
	Accounts, Own []string
	// Assets are those that we issue; Currencies those that we hold at the bank,
	// which are shown though nothing ever moved.
	Assets, Currencies []anchor.Asset
	// Explained are references of items that a person has looked into: hashes of
	// the ledger or ids of the bank's. They are listed, and are no difference.
	Explained []string

	Store  *store.Store
	Ledger *horizon.Client
	Rail   rail.Rail
}

// Run compares. An error says that it could not be compared.
func Run(ctx context.Context, c Config) (*Report, error) {
	for _, a := range c.Assets {
		c.Own = append(slices.Clip(c.Own), a.Issuer)
	}
	var report *Report
	for _, whole := range []bool{false, true} {
		r := &run{Config: c, whole: whole, report: &Report{Lines: []Line{}, Items: []Item{}, Notes: []string{}}, lines: map[spot]*Line{}}
		if err := r.compare(ctx); err != nil {
			return nil, err
		}
		if report = r.report; report.Agrees {
			break
		}
	}
	return report, nil
}

// spot is one asset in one place.
type spot struct {
	place Place
	asset anchor.Asset
}

// run is one comparison.
type run struct {
	Config
	whole  bool // with every line of everything
	books  *books
	report *Report
	lines  map[spot]*Line
	fault  error // of an addition
}

func (r *run) compare(ctx context.Context) (err error) {
	if r.books, err = r.readBooks(ctx); err != nil {
		return err
	}
	if err := r.compareLedger(ctx); err != nil {
		return err
	}
	if err := r.compareBank(ctx); err != nil {
		return err
	}
	r.unexplained()
	if r.whole {
		if err := r.name(ctx); err != nil {
			return err
		}
	}
	if r.fault != nil {
		return r.fault
	}
	r.finish()
	return nil
}

// line is a spot's line, made when it is first asked for.
func (r *run) line(s spot) *Line {
	if r.lines[s] == nil {
		r.lines[s] = &Line{Place: s.place, Asset: s.asset}
	}
	return r.lines[s]
}

// add adds with a look at overflow: a wrong sum must not pass for a right one.
func (r *run) add(to *anchor.Amount, amounts ...anchor.Amount) {
	for _, a := range amounts {
		sum, err := to.Add(a)
		if err != nil && r.fault == nil {
			r.fault = err
		}
		*to = sum
	}
}

// list adds an item.
func (r *run) list(i Item) {
	if i.Amount == 0 {
		return
	}
	if !i.NotBooked && i.Reference != "" {
		i.Explained = slices.ContainsFunc(r.Explained, func(e string) bool { return strings.EqualFold(e, i.Reference) })
	}
	l := r.line(spot{i.Place, i.Asset})
	if i.NotBooked || i.Explained {
		r.add(&l.Explained, i.Amount)
	}
	r.report.Items = append(r.report.Items, i)
}

// open is what of a line's difference no item of its own explains.
func (r *run) open(s spot) anchor.Amount {
	l := r.line(s)
	d := l.Actual - l.Journal
	for _, i := range r.report.Items {
		if i.Place == s.place && i.Asset == s.asset {
			d -= i.Amount
		}
	}
	return d
}

// unexplained lists what the books themselves do not understand: it left us, was
// booked, and nobody has said why.
func (r *run) unexplained() {
	for _, l := range r.books.unexplained {
		s := spot{Unexplained, l.Asset}
		r.add(&r.line(s).Journal, l.Amount)
		r.list(Item{Place: s.place, Asset: s.asset, Amount: -l.Amount, Why: LeftUnexplained, Reference: l.Reference, At: l.At})
	}
}

// finish puts the report in order.
func (r *run) finish() {
	r.report.Agrees = true
	for _, l := range r.lines {
		l.Difference = l.Actual
		r.add(&l.Difference, -l.Journal, -l.Explained)
		r.report.Agrees = r.report.Agrees && l.Difference == 0
		r.report.Lines = append(r.report.Lines, *l)
	}
	// Sums that agree prove nothing where one of their parts is a difference.
	r.report.Agrees = r.report.Agrees && !slices.ContainsFunc(r.report.Items, Item.differs)
	bySpot := func(p, q Place, a, b anchor.Asset) int {
		return cmp.Or(cmp.Compare(slices.Index(places, p), slices.Index(places, q)), cmp.Compare(a.String(), b.String()))
	}
	slices.SortFunc(r.report.Lines, func(a, b Line) int { return bySpot(a.Place, b.Place, a.Asset, b.Asset) })
	slices.SortStableFunc(r.report.Items, func(a, b Item) int {
		return cmp.Or(bySpot(a.Place, b.Place, a.Asset, b.Asset), a.At.Compare(b.At), cmp.Compare(a.Reference, b.Reference))
	})
}
