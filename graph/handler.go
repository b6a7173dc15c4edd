package graph

import (
	"context"
	"crypto/rand"
	"log/slog"
	"math/big"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

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
	// AutoAccept accepts a customer as soon as every question is answered.
	// Without it a person must.
	AutoAccept bool
	// Staff makes the handler of the admin listener: staff only, with
	// introspection. Else customers and viewers, without.
	Staff  bool
	Logger *slog.Logger
}

// The limits of one operation. A page of the customer's app costs about 120; a
// page of a staff list counts its fields for each row. How deep a query can go
// is bounded by the schema, which has no circles.
const (
	publicComplexity = 500
	staffComplexity  = 30_000
	maxTokens        = 3_000
	cachedQueries    = 200
)

// server answers all queries. Its methods on the types below are the resolvers.
type server struct {
	Options

	terms map[anchor.Asset]*anchor.Terms
}

// New makes the handler of POST /graphql. The caller (session.Caller) must be
// in the request's context.
func New(o Options) http.Handler {
	s := &server{Options: o, terms: map[anchor.Asset]*anchor.Terms{}}
	for _, t := range o.Terms {
		s.terms[t.Asset] = t
	}
	h := handler.New(NewExecutableSchema(Config{
		Resolvers:  s,
		Directives: DirectiveRoot{Allow: s.allow},
		Complexity: costs(),
	}))
	h.AddTransport(exchange{})
	h.SetQueryCache(lru.New[*ast.QueryDocument](cachedQueries))
	h.SetParserTokenLimit(maxTokens)
	h.SetErrorPresenter(s.present)
	h.SetRecoverFunc(s.recovered)
	h.AroundResponses(func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
		return next(s.withLoaders(ctx))
	})
	if o.Staff {
		h.Use(extension.Introspection{})
		h.Use(extension.FixedComplexityLimit(staffComplexity))
	} else {
		h.SetDisableSuggestion(true)
		h.Use(extension.FixedComplexityLimit(publicComplexity))
	}
	return checked(h)
}

// costs counts the fields of a list's row for each row.
func costs() ComplexityRoot {
	rows := func(row, first int) int { return 1 + row*min(max(first, 1), maxPage) }
	var c ComplexityRoot
	c.Query.Transactions = func(row int, _ *TransactionFilter, first int, _ *string) int { return rows(row, first) }
	c.Query.Payouts = func(row, first int, _ *string) int { return rows(row, first) }
	c.Query.Payments = func(row int, _ *bool, first int, _ *string) int { return rows(row, first) }
	return c
}

// allow is the directive @allow: it lets the named roles through, on the
// listener that is theirs.
func (s *server) allow(ctx context.Context, _ any, next graphql.Resolver, roles []session.Role) (any, error) {
	role := session.FromContext(ctx).Role
	switch {
	case role == session.Nobody:
		return nil, &anchor.Error{Kind: anchor.Unauthenticated, Message: "sign in first"}
	case s.Staff != (role == session.Staff), !slices.Contains(roles, role):
		return nil, &anchor.Error{Kind: anchor.Forbidden, Message: "you are not allowed to do this"}
	}
	return next(ctx)
}

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
	asset        struct{ *server }
	feeLine      struct{ *server }
	step         struct{ *server }
	staffView    struct{ *server }
	payout       struct{ *server }
	payment      struct{ *server }
	journalEntry struct{ *server }
	posting      struct{ *server }
)

// ResolverRoot.

func (s *server) Query() QueryResolver               { return query{s} }
func (s *server) Mutation() MutationResolver         { return mutation{s} }
func (s *server) Subscription() SubscriptionResolver { return subscription{s} }
func (s *server) Transaction() TransactionResolver   { return transaction{s} }
func (s *server) Method() MethodResolver             { return method{s} }
func (s *server) Asset() AssetResolver               { return asset{s} }
func (s *server) FeeLine() FeeLineResolver           { return feeLine{s} }
func (s *server) Step() StepResolver                 { return step{s} }
func (s *server) StaffView() StaffViewResolver       { return staffView{s} }
func (s *server) Payout() PayoutResolver             { return payout{s} }
func (s *server) Payment() PaymentResolver           { return payment{s} }
func (s *server) JournalEntry() JournalEntryResolver { return journalEntry{s} }
func (s *server) Posting() PostingResolver           { return posting{s} }
