package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"sync/atomic"
)

// readers are the connections that read. Each is handed to one query at a time
// and keeps its statements, and rows come straight from the driver: a wallet's
// poll is one row by its key, and database/sql takes as long over that as
// SQLite does (see docs/benchmarks.md).
type readers struct {
	idle   chan *readConn
	all    []*readConn
	closed chan struct{}
	count  atomic.Int64
}

type readConn struct {
	conn       *sql.Conn
	statements map[string]driver.Stmt
	args       []driver.NamedValue // of the query at hand
	row        row                 // its row
}

// openReaders takes n connections out of a pool for good.
func openReaders(ctx context.Context, pool *sql.DB, n int) (*readers, error) {
	r := &readers{idle: make(chan *readConn, n), closed: make(chan struct{})}
	for range n {
		c, err := pool.Conn(ctx)
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		rc := &readConn{conn: c, statements: map[string]driver.Stmt{}}
		r.all = append(r.all, rc)
		r.idle <- rc
	}
	return r, nil
}

// close waits for the reads that are under way.
func (r *readers) close() error {
	close(r.closed)
	var errs []error
	for range r.all {
		c := <-r.idle
		errs = append(errs, c.conn.Raw(func(any) error {
			var errs []error
			for _, st := range c.statements {
				errs = append(errs, st.Close())
			}
			return errors.Join(errs...)
		}), c.conn.Close())
	}
	return errors.Join(errs...)
}

// each runs a query on an idle connection and hands row after row to scan,
// until that wants no more.
func (r *readers) each(ctx context.Context, scan func(scanner) (more bool, err error), query string, args []any) error {
	c, err := r.take(ctx)
	if err != nil {
		return err
	}
	r.count.Add(1)
	defer func() { r.idle <- c }()
	// A panic goes around Raw, which would close the connection over it.
	var panicked any
	err = c.conn.Raw(func(dc any) error {
		defer func() { panicked = recover() }()
		return c.each(ctx, dc, scan, query, args)
	})
	if panicked != nil {
		panic(panicked)
	}
	return err
}

// Reads counts the statements that the books have been read by.
func (s *Store) Reads() int64 { return s.reads.count.Load() }

// take waits for an idle connection; whoever has it gives it back to idle.
func (r *readers) take(ctx context.Context) (*readConn, error) {
	select {
	case c := <-r.idle:
		return c, nil
	case <-r.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// exec runs a statement that has neither arguments nor rows.
func (c *readConn) exec(ctx context.Context, statement string) error {
	return c.conn.Raw(func(dc any) error {
		_, err := dc.(driver.ExecerContext).ExecContext(ctx, statement, nil) //nolint:errcheck // the driver's connections are
		return err
	})
}

func (c *readConn) each(ctx context.Context, dc any, scan func(scanner) (bool, error), query string, args []any) (err error) {
	st := c.statements[query]
	if st == nil {
		if st, err = dc.(driver.ConnPrepareContext).PrepareContext(ctx, query); err != nil { //nolint:errcheck // the driver's connections are
			return err
		}
		c.statements[query] = st
	}
	c.args = c.args[:0]
	for i, a := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return err
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	rows, err := st.(driver.StmtQueryContext).QueryContext(ctx, c.args) //nolint:errcheck // and so are its statements
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	n := len(rows.Columns())
	c.row = slices.Grow(c.row[:0], n)[:n]
	for {
		switch err := rows.Next(c.row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if more, err := scan(c.row); err != nil || !more {
			return err
		}
	}
}

// row is what the driver has of a row: int64, string, []byte.
type row []driver.Value

// Scan copies the row into pointers to strings, integers and bytes, named types
// of these included. Bytes are the driver's copy already.
func (r row) Scan(dest ...any) error {
	if len(dest) != len(r) {
		return fmt.Errorf("%d columns for %d destinations", len(r), len(dest))
	}
	for i, v := range r {
		ok := true
		switch d := dest[i].(type) {
		case *string:
			*d, ok = v.(string)
		case *int64:
			*d, ok = v.(int64)
		case *[]byte:
			*d, ok = v.([]byte)
		default:
			to := reflect.ValueOf(d).Elem()
			switch v := v.(type) {
			case string:
				if ok = to.Kind() == reflect.String; ok {
					to.SetString(v)
				}
			case int64:
				switch {
				case to.CanInt() && !to.OverflowInt(v):
					to.SetInt(v)
				case to.CanUint() && v >= 0 && !to.OverflowUint(uint64(v)):
					to.SetUint(uint64(v))
				default:
					ok = false
				}
			default:
				ok = false
			}
		}
		if !ok {
			return fmt.Errorf("column %d: %T does not fit %T", i, v, dest[i])
		}
	}
	return nil
}
