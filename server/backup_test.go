package main

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"windlass/server/anchor"
	"windlass/server/rig"
)

// A backup is taken while the anchor runs, and put back by the command: it begins
// with a pause, whatever the lock file beside it says, and ends that by itself.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := execute(t.Context(), process{append(args, "--config", filepath.Join(h.dir, configFile)), []string{"WINDLASS_NETWORK_HORIZON=" + h.at.Horizon}, &out, &out})
		return code, out.String()
	}
	want := func(code int, text string, args ...string) {
		t.Helper()
		if got, out := run(args...); got != code || !strings.Contains(out, text) {
			t.Errorf("windlass %s: %d, not %d with %q:\n%s", strings.Join(args, " "), got, code, text, out)
		}
	}
	customers := newCustomers(t, h.ledger, h.cfg, 2)
	h.until(anchor.Completed, h.deposits(customers...)...)
	backup := filepath.Join(h.dir, "backup.db")
	want(0, "is a backup of", "backup", backup)
	want(1, "exists already", "backup", backup)
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup is %v: %v", info.Mode(), err)
	}
	h.until(anchor.Completed, h.deposits(customers[0])...)
	want(1, "is in use by another windlass", "restore", "--from", backup)
	h.stop()

	whole, err := os.ReadFile(backup)
	rig.Must(t, err)
	spoilt, none, newer := filepath.Join(h.dir, "spoilt.db"), filepath.Join(h.dir, "none.db"), filepath.Join(h.dir, "newer.db")
	rig.Must(t, os.WriteFile(spoilt, whole[:len(whole)/2], 0o600))
	rig.Must(t, os.WriteFile(none, nil, 0o600))
	rig.Must(t, os.WriteFile(newer, whole, 0o600))
	db, err := sql.Open("sqlite3", newer)
	rig.Must(t, err)
	_, err = db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`)
	rig.Must(t, err)
	rig.Must(t, db.Close())
	want(1, "no sound database", "restore", "--from", spoilt)
	want(1, "no books", "restore", "--from", none)
	want(1, "made by a newer one", "restore", "--from", newer)
	rig.Must(t, os.WriteFile(backup+"-wal", []byte("what is not in it"), 0o600))
	want(1, "is not whole", "restore", "--from", backup)
	rig.Must(t, os.Remove(backup+"-wal"))

	h.start() // none of that has done anything
	h.alarms()
	h.stop()
	want(0, "the former books are", "restore", "--from", backup)
	former, err := filepath.Glob(h.cfg.Database.Path + ".before-*")
	if err != nil || len(former) != 1 {
		t.Errorf("the former books are %v: %v", former, err)
	}
	h.start()
	h.alarms("paused outgoing", "paused restored", "ahead")
	h.putBack(nil) // the books that were set aside are whole
	rig.Must(t, os.Rename(former[0], h.cfg.Database.Path))
	h.start()
	h.alarms("paused restored")
	h.alarms()
	h.have("197", customers[0])
	h.have("98.5", customers[1])
	balanced(t, &balance{Config: h.cfg, Horizon: h.at.Horizon, Bank: h.app.bank})
	reconciles(t, h.dir, h.at)
}
