package graph

import (
	"context"
	"crypto/rand"
	"log/slog"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/rail"
	"windlass/server/session"
	"windlass/server/store"
)

// Options are what New needs.
type Options struct {
	Store *store.Store
	Terms []*anchor.Terms
	// Rail says where a deposit is paid to.
	Rail rail.Rail
	// Object is the SEP-24 transaction object of a transaction.
	Object func(t *anchor.Transaction, lang string) any
	// MoreInfoURL is the stable link to a transaction's page.
	MoreInfoURL func(t *anchor.Transaction) string
	// Explorer is the address of a ledger transaction's page at an explorer,
	// with {hash} in it; empty if the network has none.
	Explorer string
	// CallbackSchemes are those of wallets' apps that the page may open, in small
	// letters.
	CallbackSchemes []string
	// Documents bounds what customers send. Network is where a request came from.
	Documents Documents
	Network   func(*http.Request) string
	// Staff makes the handler of the admin listener: staff only, with
	// introspection. Else customers and viewers, without.
	Staff  bool
	Logger *slog.Logger
}

// Documents bound those that customers send.
type Documents struct {
	// All and Each are how many bytes those of all customers, and of one of them, may
	// have together. The last quarter of All is for customers who have paid before.
	All, Each int64
	// Allow reports whether one of so many bytes is taken now.
	Allow func(network string, customer anchor.Identity, size int) bool
}

// limits bound one operation. How deep its fields can go is bounded by the
// schema, which has no circles.
type limits struct {
	tokens, braces, complexity int
}

// A page of the customer's app has 170 tokens, 15 braces and costs about 120.
// Of staff the playground asks most, to know the schema: 200 tokens, 28 braces;
// and a list counts its fields for each row.
//
// Tokens and braces are few, because validation takes longer than they look: it
// compares fields in pairs, over again for every brace around them.
var (
	publicLimits = limits{tokens: 500, braces: 30, complexity: 500}
	staffLimits  = limits{tokens: 1_500, braces: 60, complexity: 30_000}
)

const (
	maxQuery      = 64 << 10 // bytes; queries are cached by their text
	maxSelections = 1_000    // with every fragment written out
	cachedQueries = 200
)

// server answers all queries. Its methods on the types below are the resolvers.
type server struct {
	Options

	terms  map[anchor.Asset]*anchor.Terms
	limits limits
}

// New makes the handler of POST /graphql. The caller (session.Caller) must be
// in the request's context.
func New(o Options) http.Handler {
	s := &server{Options: o, terms: map[anchor.Asset]*anchor.Terms{}, limits: publicLimits}
	if o.Staff {
		s.limits = staffLimits
	}
	for _, t := range o.Terms {
		s.terms[t.Asset] = t
	}
	schema := NewExecutableSchema(Config{
		Resolvers:  s,
		Directives: DirectiveRoot{Allow: s.allow},
		Complexity: costs(),
	})
	describe(schema.Schema())
	h := handler.New(schema)
	h.AddTransport(exchange{s, &uploads{of: map[string]int{}}})
	h.SetQueryCache(lru.New[*ast.QueryDocument](cachedQueries))
	h.SetParserTokenLimit(s.limits.tokens)
	h.SetErrorPresenter(s.present)
	h.SetRecoverFunc(s.recovered)
	h.Use(writtenOut{})
	h.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		return next(s.withLoaders(ctx))
	})
	h.Use(extension.FixedComplexityLimit(s.limits.complexity))
	if o.Staff {
		h.Use(extension.Introspection{})
	} else {
		h.SetDisableSuggestion(true)
	}
	return s.checked(h)
}

var described sync.Once

// describe tells in the description of each field what @refuses says of it, for
// the playground: directives are not to be seen there.
func describe(schema *ast.Schema) {
	described.Do(func() { // one schema serves all handlers
		for _, root := range []*ast.Definition{schema.Query, schema.Mutation} {
			for _, f := range root.Fields {
				var all []string
				for _, of := range []ast.DirectiveList{f.Directives, root.Directives} {
					if d := of.ForName("refuses"); d != nil {
						for _, reason := range d.Arguments.ForName("reasons").Value.Children {
							all = append(all, reason.Value.Raw)
						}
					}
				}
				f.Description += "\n\nRefused: " + strings.Join(all, ", ") + "."
			}
		}
	})
}

// writtenOut refuses an operation that has too many selections when every
// fragment is written out. It comes before the limit of complexity, which walks
// a fragment at every mention: forty that each mention the next one twice would
// keep it busy for hours.
type writtenOut struct{}

// ExtensionName and Validate are what gqlgen asks of an extension.
func (writtenOut) ExtensionName() string                   { return "writtenOut" }
func (writtenOut) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext is called for each operation, after validation: there
// are no circles of fragments any more.
func (writtenOut) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	known := map[*ast.FragmentDefinition]int{}
	var count func(ast.SelectionSet) int
	count = func(set ast.SelectionSet) int {
		n := len(set)
		for _, selection := range set {
			switch s := selection.(type) {
			case *ast.Field:
				n += count(s.SelectionSet)
			case *ast.InlineFragment:
				n += count(s.SelectionSet)
			case *ast.FragmentSpread:
				if _, ok := known[s.Definition]; !ok {
					known[s.Definition] = count(s.Definition.SelectionSet)
				}
				n += known[s.Definition]
			}
			n = min(n, maxSelections+1) // it doubles with every fragment
		}
		return n
	}
	if count(op.Operation.SelectionSet) > maxSelections {
		return gqlerror.Errorf("operation has more than %d selections when its fragments are written out", maxSelections)
	}
	return nil
}

// costs counts the fields of a list's row for each row.
func costs() ComplexityRoot {
	rows := func(row, first int) int { return 1 + row*min(max(first, 1), maxPage) }
	var c ComplexityRoot
	// A document goes in once, however often a request names it.
	c.Mutation.Attach = func(row int, _, _ string, _ Upload) int { return publicLimits.complexity/2 + row }
	c.Query.Transactions = func(row int, _ *TransactionFilter, first int, _ *string, _ bool) int { return rows(row, first) }
	c.Query.Payouts = func(row int, _ *anchor.PayoutState, first int, _ *string, _ bool) int { return rows(row, first) }
	c.Query.BankPayouts = func(row int, _ *anchor.BankPayoutState, _ *bool, first int, _ *string, _ bool) int {
		return rows(row, first)
	}
	c.Query.Payments = func(row int, _ *bool, first int, _ *string, _ bool) int { return rows(row, first) }
	c.Query.BankLines = func(row int, _ *bool, first int, _ *string, _ bool) int { return rows(row, first) }
	c.Query.Outgoing = func(row int, _ *bool, first int, _ *string, _ bool) int { return rows(row, first) }
	c.Query.Callbacks = func(row int, _ *store.MessageState, _ *string, first int, _ *string, _ bool) int {
		return rows(row, first)
	}
	c.Query.CallbackHosts = func(row, first int, _ *string, _ bool) int { return rows(row, first) }
	c.Query.Audit = func(row int, _, _ *string, first int, _ *string, _ bool) int { return rows(row, first) }
	return c
}

// admit lets callers to the listener that is theirs. Of a stranger's query
// nothing is read, not even whether it is one.
func (s *server) admit(role session.Role) *anchor.Error {
	switch {
	case role == session.Nobody:
		return &anchor.Error{Kind: anchor.Unauthenticated, Message: "sign in first"}
	case s.Staff != (role == session.Staff):
		return errNotAllowed
	}
	return nil
}

// allow is the directive @allow: it lets the named roles through.
func (s *server) allow(ctx context.Context, _ any, next graphql.Resolver, roles []session.Role) (any, error) {
	if !slices.Contains(roles, session.FromContext(ctx).Role) {
		return nil, errNotAllowed
	}
	return next(ctx)
}

var errNotAllowed = &anchor.Error{Kind: anchor.Forbidden, Code: "forbidden", Message: "you are not allowed to do this"}

// own reads a transaction that the caller may see. Customers and viewers see
// one; any other does not exist for them.
func (s *server) own(ctx context.Context, id string) (*anchor.Transaction, error) {
	if err := allowed(ctx, id); err != nil {
		return nil, err
	}
	t, err := s.Store.Transaction(ctx, id)
	if err == nil {
		speak(ctx, t)
	}
	return t, err
}

func allowed(ctx context.Context, id string) error {
	if c := session.FromContext(ctx); c.Role != session.Staff && c.Transaction != id {
		return &anchor.Error{Kind: anchor.NotFound, Code: "not_found", Message: "no such transaction"}
	}
	return nil
}

// visit is what the answers to one request share.
type visit struct {
	request string // its id
	network string // where it came from
	lang    atomic.Pointer[string]
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, ok := ctx.Value(visitKey{}).(*visit)
	if !ok {
		return &visit{}
	}
	return v
}

// langOf is the language to answer a request in: that of the customer's
// transaction once it is known, before and for staff what their browser asks for.
func langOf(ctx context.Context) string {
	if l := visitOf(ctx).lang.Load(); l != nil {
		return *l
	}
	return language.Default
}

// speak goes on in the language of the customer's transaction.
func speak(ctx context.Context, t *anchor.Transaction) {
	if t.Lang == "" || session.FromContext(ctx).Role == session.Staff {
		return
	}
	lang := language.Match(t.Lang)
	visitOf(ctx).lang.Store(&lang)
}

// randomMemo is a memo of kind id that nobody can guess. It stays below 2⁶³,
// because some wallets read memos into signed numbers.
func randomMemo() anchor.Memo {
	n, err := rand.Int(rand.Reader, new(big.Int).SetUint64(1<<63-1))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return anchor.IDMemo(n.Uint64() + 1)
}

// The roots and types that have resolvers.
type (
	query        struct{ *server }
	mutation     struct{ *server }
	subscription struct{ *server }
	transaction  struct{ *server }
	method       struct{ *server }
	savedAccount struct{ *server }
	asset        struct{ *server }
	feeLine      struct{ *server }
	step         struct{ *server }
	staffView    struct{ *server }
	payout       struct{ *server }
	bankPayout   struct{ *server }
	payment      struct{ *server }
	bankLine     struct{ *server }
	outgoing     struct{ *server }
	callback     struct{ *server }
	delivery     struct{ *server }
	callbackHost struct{ *server }
	balance      struct{ *server }
	auditEntry   struct{ *server }
	journalEntry struct{ *server }
	posting      struct{ *server }
)

// ResolverRoot.

func (s *server) Query() QueryResolver               { return query{s} }
func (s *server) Mutation() MutationResolver         { return mutation{s} }
func (s *server) Subscription() SubscriptionResolver { return subscription{s} }
func (s *server) Transaction() TransactionResolver   { return transaction{s} }
func (s *server) Method() MethodResolver             { return method{s} }
func (s *server) SavedAccount() SavedAccountResolver { return savedAccount{s} }
func (s *server) Asset() AssetResolver               { return asset{s} }
func (s *server) FeeLine() FeeLineResolver           { return feeLine{s} }
func (s *server) Step() StepResolver                 { return step{s} }
func (s *server) StaffView() StaffViewResolver       { return staffView{s} }
func (s *server) Payout() PayoutResolver             { return payout{s} }
func (s *server) BankPayout() BankPayoutResolver     { return bankPayout{s} }
func (s *server) Payment() PaymentResolver           { return payment{s} }
func (s *server) BankLine() BankLineResolver         { return bankLine{s} }
func (s *server) Outgoing() OutgoingResolver         { return outgoing{s} }
func (s *server) Callback() CallbackResolver         { return callback{s} }
func (s *server) Delivery() DeliveryResolver         { return delivery{s} }
func (s *server) CallbackHost() CallbackHostResolver { return callbackHost{s} }
func (s *server) Balance() BalanceResolver           { return balance{s} }
func (s *server) AuditEntry() AuditEntryResolver     { return auditEntry{s} }
func (s *server) JournalEntry() JournalEntryResolver { return journalEntry{s} }
func (s *server) Posting() PostingResolver           { return posting{s} }
