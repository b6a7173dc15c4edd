package main

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// inProcess is a network of hosts in this process: connections are pairs of
// pipes, which synctest can see waiting, as it cannot with sockets.
type inProcess struct {
	mu    sync.Mutex
	hosts map[string]*host
}

// host is a listener. Nobody answers where none is.
type host struct {
	net    *inProcess
	name   string
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (n *inProcess) listen(name string) *host {
	h := &host{net: n, name: name, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts == nil {
		n.hosts = map[string]*host{}
	}
	n.hosts[name] = h
	return h
}

// client asks the hosts of this network.
func (n *inProcess) client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: n.dial, DisableCompression: true, MaxIdleConnsPerHost: 32},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (n *inProcess) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	h := n.hosts[address]
	n.mu.Unlock()
	if h == nil {
		return nil, &net.OpError{Op: "dial", Net: "pipe", Err: net.UnknownNetworkError(address)}
	}
	here, there := net.Pipe()
	select {
	case h.conns <- there:
		return here, nil
	case <-h.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *host) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *host) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *host) Addr() net.Addr { return &net.UnixAddr{Name: h.name, Net: "pipe"} }
