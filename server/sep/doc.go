// Package sep is what all SEP endpoints share on the wire: request bodies as
// JSON, form or multipart, answers and errors as JSON, the status of each kind
// of error, CORS, and the bearer token of a request.
//
// It must not hold the rules of any one document, nor of the domain.
package sep
