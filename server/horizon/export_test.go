package horizon

import "time"

// SetSilence shortens a minute of silence for a test.
func (c *Client) SetSilence(d time.Duration) { c.silence = d }

// ReadPayment reads one record of an account's payments.
func ReadPayment(raw []byte, account string) (Payment, error) { return readPayment(raw, "", account) }
