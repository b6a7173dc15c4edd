package main

import "time"

// CustomersConfig says for how long customers are kept who agreed to something and
// never paid.
type CustomersConfig struct {
	KeepUnpaid   Duration `toml:"keep_unpaid" env:"KEEP_UNPAID"`
	KeepReviewed Duration `toml:"keep_reviewed" env:"KEEP_REVIEWED"` // of whom a person said something; 0 is for ever
}

func (k *check) customers(c *CustomersConfig) {
	const day = 24 * time.Hour
	k.between("customers.keep_unpaid", c.KeepUnpaid, day, 20*365*day)
	if c.KeepReviewed != 0 {
		k.between("customers.keep_reviewed", c.KeepReviewed, time.Duration(c.KeepUnpaid), 20*365*day)
	}
}
