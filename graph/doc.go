// Package graph is the GraphQL API of schema.graphqls: what gqlgen made of it,
// and the resolvers.
//
// There is no second set of models. GraphQL's types are anchor's and store's;
// where those have none, views.go has a view. generated.go and models.go are
// made by `make generate` from gqlgen.yml and are not edited.
//
// One handler serves customers and viewers on the public listener, another
// staff on the admin listener: New makes either. Who the caller is was found
// out by package session; what a caller may see and do is decided here, by admit,
// @allow and own.
//
// It must not hold rules of the domain (they are in anchor), SQL, or anything
// about cookies and tokens.
package graph
