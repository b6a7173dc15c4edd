package horizon

import "time"

// SetSilence shortens a minute of silence for a test.
func (c *Client) SetSilence(d time.Duration) { c.silence = d }
