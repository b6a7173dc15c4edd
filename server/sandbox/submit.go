package sandbox

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// submitTimeout is how long a submission waits for its ledger.
const submitTimeout = 30 * time.Second

// submitTransaction answers POST /transactions: at once if the transaction is
// in a ledger already or cannot be taken, else once its ledger closes. What
// the queue neither takes nor refuses is waited for in vain.
func (a *api) submitTransaction(r *request) (any, error) {
	t, err := a.readEnvelope(r, false)
	if err != nil {
		return nil, err
	}
	done, st, result, wait := a.submit(t)
	if done != nil {
		return a.outcome(r, done, t)
	}
	if st == statusError {
		return nil, failedProblem(t, result)
	}
	defer a.forget(t.hash, wait)
	timeout := time.NewTimer(submitTimeout)
	defer timeout.Stop()
	select {
	case done := <-wait:
		if done != nil {
			return a.outcome(r, done, t)
		}
	case <-timeout.C:
	case <-a.stopping:
	case <-r.Context().Done():
	}
	return nil, timeoutProblem(t)
}

// submitAsync answers POST /transactions_async: what the queue says, at once.
func (a *api) submitAsync(r *request) (any, error) {
	t, err := a.readEnvelope(r, true)
	if err != nil {
		return nil, err
	}
	st, result := a.enqueue(t)
	body := asyncBody{Status: st, Hash: fmt.Sprintf("%x", t.hash)}
	switch st {
	case statusPending:
		return answer{http.StatusCreated, body}, nil
	case statusDuplicate:
		return answer{http.StatusConflict, body}, nil
	case statusTryAgain:
		return answer{http.StatusServiceUnavailable, body}, nil
	default: // statusError, with the reason
		body.ErrorResultXDR, err = xdr.MarshalBase64(result)
		return answer{http.StatusBadRequest, body}, err
	}
}

// readEnvelope takes the transaction from the form or the query.
func (a *api) readEnvelope(r *request, async bool) (*transaction, error) {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		media, _, err := mime.ParseMediaType(kind)
		if err != nil || media != "application/x-www-form-urlencoded" && media != "multipart/form-data" {
			return nil, problem{Type: "unsupported_media_type", Title: "Unsupported Media Type", Status: http.StatusUnsupportedMediaType,
				Detail: "The request has an unsupported content type. Presently, the only supported content type is application/x-www-form-urlencoded."}
		}
	}
	// The body goes before the query. One that cannot be read, such as one that
	// is too large, is as good as empty.
	text := r.FormValue("tx")
	if !utf8.ValidString(text) {
		return nil, invalidField("tx", "invalid value")
	}
	t, err := decodeBase64(text, a.cfg.Passphrase)
	if err != nil {
		extras := map[string]any{"envelope_xdr": text}
		if async {
			extras["error"] = struct{}{}
		}
		return nil, problem{Type: "transaction_malformed", Title: "Transaction Malformed", Status: http.StatusBadRequest,
			Detail: "Horizon could not decode the transaction envelope in this request. A transaction should be an XDR TransactionEnvelope struct encoded using base64.  The envelope read from this request is echoed in the `extras.envelope_xdr` field of this response for your convenience.",
			Extras: extras}
	}
	return t, nil
}

// outcome renders a transaction that is in a ledger: the resource, or the
// problem if it failed there.
func (a *api) outcome(r *request, done *closedTransaction, t *transaction) (any, error) {
	if done.success {
		a.mu.RLock()
		defer a.mu.RUnlock()
		return r.links.transaction(a.history, done, t.hash)
	}
	var result xdr.TransactionResult
	if err := xdr.SafeUnmarshal(done.result, &result); err != nil {
		return nil, fmt.Errorf("reading a stored result: %w", err)
	}
	return nil, failedProblem(t, result)
}

func failedProblem(t *transaction, result xdr.TransactionResult) error {
	text, err := xdr.MarshalBase64(result)
	if err != nil {
		return fmt.Errorf("encoding a result: %w", err)
	}
	return problem{Type: "transaction_failed", Title: "Transaction Failed", Status: http.StatusBadRequest,
		Detail: "The transaction failed when submitted to the stellar network. The `extras.result_codes` field on this response contains further details.  Descriptions of each code can be found at: https://developers.stellar.org/api/errors/http-status-codes/horizon-specific/transaction-failed/",
		Extras: map[string]any{
			"envelope_xdr": base64.StdEncoding.EncodeToString(t.raw),
			"result_codes": codesOf(result),
			"result_xdr":   text,
		}}
}

func timeoutProblem(t *transaction) problem {
	return problem{Type: "transaction_submission_timeout", Title: "Transaction Submission Timeout", Status: http.StatusGatewayTimeout,
		Detail: "Your transaction submission request has timed out. This does not necessarily mean the submission has failed. Before resubmitting, please use the transaction hash provided in `extras.hash` to poll the GET /transactions endpoint for sometime and check if it was included in a ledger.",
		Extras: map[string]any{
			"envelope_xdr": base64.StdEncoding.EncodeToString(t.raw),
			"hash":         fmt.Sprintf("%x", t.hash),
		}}
}
