package graph

import (
	"io"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"windlass/server/anchor"
	"windlass/server/store"
)

// Fee is what a transaction costs.
type Fee struct {
	Total anchor.Amount
	Asset anchor.Asset
	Lines []anchor.FeeLine
}

// Price is what an amount would cost and leave.
type Price struct {
	AmountIn, AmountOut anchor.Amount
	Fee                 Fee
	Rate                *string
}

// Terms are one side of anchor's Terms, as one transaction sees them.
type Terms struct {
	Minimum, Maximum     anchor.Amount
	FeeFixed, FeePercent anchor.Amount
	Methods              []*Method
}

// Method is a way to pay, for one transaction.
type Method struct {
	ID               string
	Minimum, Maximum anchor.Amount
	Takes            *int // seconds
	fields           []anchor.Field
	of               *anchor.Transaction
}

func newMethod(s *anchor.Side, m anchor.Method, of *anchor.Transaction) *Method {
	v := &Method{ID: m.ID, fields: m.Fields, of: of}
	v.Minimum, v.Maximum = s.Limits(m.ID)
	if m.Takes > 0 {
		v.Takes = new(int(m.Takes.Seconds()))
	}
	return v
}

// SavedAccount is an account that the customer of a transaction used before.
type SavedAccount struct {
	ID     string // of the transaction that used it last
	UsedAt time.Time
	Chosen bool
	// answers are those to what its method asks today.
	answers map[string]string
}

// LastTime is what the customer of a transaction did last.
type LastTime struct {
	AmountIn anchor.Amount
	Method   *Method
	Account  *SavedAccount
	At       time.Time
}

// Question is one thing to ask.
type Question struct {
	Name, Label  string
	Help         *string
	Type         anchor.FieldType
	Options      []Option
	Required     bool
	From         *anchor.Amount
	Answered     bool
	Autocomplete string
	// Earliest and Latest are the days between which a date lies.
	Earliest, Latest *string
	Value            *string
	// Masked is Value where the page is not to have it.
	Masked *string
	File   *File
}

// File is a document that answers a question.
type File struct {
	*anchor.File

	URL *string // for staff
}

// Option is an answer to choose.
type Option struct{ Value, Label string }

// Answer is an answer to a question.
type Answer struct{ Name, Value string }

// Instruction is one row of how to pay.
type Instruction struct {
	Name, Label, Value string
	Important          bool
	Help               *string
}

// StaffView is what only staff see of a transaction.
type StaffView struct{ of *anchor.Transaction }

// TransactionFilter narrows down what staff list.
type TransactionFilter struct {
	Kind   *anchor.Kind
	Status []anchor.Status
	Search *string

	ToReview *bool
}

// Page is a part of a list.
type Page[T any] struct {
	Nodes     []T
	EndCursor *string
}

// The pages, by the names that the schema has for them.
type (
	// TransactionPage is a page of transactions.
	TransactionPage struct{ Page[*anchor.Transaction] }
	// PayoutPage is a page of payments that leave on the ledger.
	PayoutPage struct{ Page[*anchor.Payout] }
	// BankPayoutPage is a page of orders to the bank.
	BankPayoutPage struct{ Page[*anchor.BankPayout] }
	// PaymentPage is a page of payments that arrived on the ledger.
	PaymentPage struct{ Page[*anchor.Payment] }
	// BankLinePage is a page of the bank's statement.
	BankLinePage struct{ Page[*anchor.BankLine] }
	// OutgoingPage is a page of operations that the books did not know.
	OutgoingPage struct{ Page[*anchor.Outgoing] }
	// CallbackPage is a page of messages to wallets.
	CallbackPage struct{ Page[*store.Message] }
	// CallbackHostPage is a page of hosts that do not take them.
	CallbackHostPage struct{ Page[*store.CallbackHost] }
	// AuditPage is a page of the audit trail.
	AuditPage struct{ Page[*store.AuditEntry] }
)

// MarshalAmount writes the shortest exact decimal, as text.
func MarshalAmount(a anchor.Amount) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(a.String())) })
}

// UnmarshalAmount reads a decimal from text. Numbers are refused: on their way
// through JavaScript they would have lost digits already. Which argument is at
// fault is for present to say.
func UnmarshalAmount(v any) (anchor.Amount, error) {
	s, ok := v.(string)
	if !ok {
		s = "" // refused with the same sentence as any other faulty amount
	}
	return anchor.ParseAmount(s)
}

// filled is a text, or nil for the empty one: GraphQL's null.
func filled(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
