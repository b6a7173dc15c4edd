package sep10

import (
	"net/http"
	"time"
)

// SignedAt checks the header of a request for a challenge as if it were now.
func SignedAt(endpoint string, r *http.Request, signer string, now time.Time) error {
	h := &Handler{cfg: Config{Issuer: endpoint}}
	return h.signedRequest(r, r.URL.Query(), signer, now)
}
