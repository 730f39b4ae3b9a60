package sms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// answerTime is how long the SMS centre has for each answer.
const answerTime = 30 * time.Second

// quiet is after how many enquiries in a row without a message a connection is given up.
const quiet = 10

// errLost says that the connection broke before an answer came: nobody knows whether the request did.
var errLost = errors.New("the connection was lost")

// session is a bound connection. It is safe for concurrent use.
type session struct {
	conn   net.Conn
	window chan struct{} // holds a value for each request without an answer
	ledger *ledger
	done   chan struct{} // closed when the connection is

	mu       sync.Mutex
	sequence uint32
	pending  map[uint32]chan pdu
	idle     int // enquiries since the last message
	err      error
}

// bind logs in on a connection and takes care of it from then on.
func bind(ctx context.Context, conn net.Conn, s *smppSettings, l *ledger) (*session, error) {
	c := &session{
		conn: conn, window: make(chan struct{}, s.Window), ledger: l, done: make(chan struct{}), pending: make(map[uint32]chan pdu),
	}
	go c.read()
	body := cstrings(s.SystemID, s.Password, s.SystemType)
	body = append(body, protocol34, 0, 0, 0)
	if _, err := c.request(ctx, cmdBind, body); err != nil {
		c.lose(errLost)
		return nil, err
	}
	go c.enquire(s.keepalive())
	return c, nil
}

func cstrings(texts ...string) []byte {
	var b []byte
	for _, t := range texts {
		b = append(append(b, t...), 0)
	}
	return b
}

// submit sends a short message and returns what the SMS centre calls it.
func (c *session) submit(ctx context.Context, body []byte) (string, error) {
	select {
	case c.window <- struct{}{}:
	case <-c.done:
		return "", errLost
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-c.window }()
	c.mu.Lock()
	c.idle = 0
	c.mu.Unlock()
	p, err := c.request(ctx, cmdSubmit, body)
	if err != nil {
		return "", err
	}
	return text(bytes.NewBuffer(p.body))
}

// request sends a request and waits for its answer.
func (c *session) request(ctx context.Context, command uint32, body []byte) (pdu, error) {
	answer := make(chan pdu, 1)
	c.mu.Lock()
	c.sequence = c.sequence%0x7fffffff + 1
	sequence := c.sequence
	c.pending[sequence] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pending, sequence)
		c.mu.Unlock()
	}()
	c.write(pdu{command: command, sequence: sequence, body: body})
	late := time.NewTimer(answerTime)
	defer late.Stop()
	select {
	case p := <-answer:
		if p.status != 0 {
			return p, refusal{p.status}
		}
		if p.command != command|reply {
			return p, fmt.Errorf("command 0x%08x is answered by 0x%08x", command, p.command)
		}
		return p, nil
	case <-c.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		return pdu{}, c.err
	case <-late.C:
		err := fmt.Errorf("%w: no answer within %v", errLost, answerTime)
		c.lose(err)
		return pdu{}, err
	case <-ctx.Done():
		return pdu{}, ctx.Err()
	}
}

// write sends a unit; one Write, so that concurrent ones do not mix.
func (c *session) write(p pdu) {
	if _, err := c.conn.Write(p.bytes()); err != nil {
		c.lose(fmt.Errorf("%w: %w", errLost, err))
	}
}

// read takes what comes until the connection ends.
func (c *session) read() {
	for {
		p, err := readPDU(c.conn)
		if err != nil {
			c.lose(fmt.Errorf("%w: %w", errLost, err))
			return
		}
		switch {
		case p.command&reply != 0:
			c.mu.Lock()
			answer := c.pending[p.sequence]
			delete(c.pending, p.sequence)
			c.mu.Unlock()
			if answer != nil {
				answer <- p
			}
		case p.command == cmdEnquire:
			c.write(pdu{command: cmdEnquire | reply, sequence: p.sequence})
		case p.command == cmdDeliver:
			if r, ok, err := parseReceipt(p.body); ok && err == nil { // a message from somebody is taken, and of no interest
				c.ledger.enter(r)
			}
			c.write(pdu{command: cmdDeliver | reply, sequence: p.sequence, body: []byte{0}})
		case p.command == cmdUnbind:
			c.write(pdu{command: cmdUnbind | reply, sequence: p.sequence})
			c.lose(fmt.Errorf("%w: the SMS centre ended it", errLost))
			return
		case p.command != cmdAlert:
			c.write(pdu{command: cmdNack, status: badCommand, sequence: p.sequence})
		}
	}
}

// enquire finds out whether the other side is still there, and gives a connection up that nobody needs.
func (c *session) enquire(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.done:
			return
		}
		c.mu.Lock()
		c.idle++
		idle := c.idle
		c.mu.Unlock()
		command := uint32(cmdEnquire)
		if idle > quiet {
			command = cmdUnbind
		}
		_, err := c.request(context.Background(), command, nil)
		if err != nil || command == cmdUnbind {
			c.lose(errLost)
			return
		}
	}
}

// lose closes the connection.
func (c *session) lose(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.done)
		_ = c.conn.Close()
	}
}

// lost tells whether the connection is closed.
func (c *session) lost() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
