package main

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	// An agent that does not turn to a call in this time is busy, or hangs.
	takenWithin = 5 * time.Second
	// The handler takes 90 seconds at most.
	answeredWithin = 100 * time.Second
	// No answer is nearly as long; what claims to be is no agent's.
	longestAnswer = 1 << 20
	// Too many wait to be let in.
	crowdedPause = 10 * time.Millisecond

	taken, heard = 1, 1
)

var errNoAgent = errors.New("what answers is no agent")

// forward returns the exit code, or an error where the agent does not answer before end.
func forward(agent string, began moment, stdin []byte, end moment) (int, error) {
	until := min(end, now().after(takenWithin))
	connection, err := connect(agent, until)
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	if err := send(connection, began, stdin, until); err != nil {
		return 0, err
	}
	word := make([]byte, 1)
	if err := receive(connection, word, until); err != nil {
		return 0, err
	}
	if word[0] != taken {
		return 0, errNoAgent
	}
	code, document, err := answerOf(connection, min(end, now().after(answeredWithin)))
	if err != nil {
		return 0, err
	}
	isHeard := printed(document)
	// However long that took: an agent that is not told takes back what the runtime has.
	_ = connection.SetDeadline(time.Now().Add(answeredWithin))
	if !isHeard {
		// The agent gives back what nobody heard of, and hangs up when it has.
		if connection.CloseWrite() == nil {
			_, _ = connection.Read(word)
		}
		return 1, nil
	}
	// What is printed is printed, whether the agent hears of it or not.
	_, _ = connection.Write([]byte{heard})
	return code, nil
}

func connect(agent string, until moment) (*net.UnixConn, error) {
	for {
		connection, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: agent, Net: "unix"})
		if !errors.Is(err, syscall.EAGAIN) || now() > until {
			return connection, err
		}
		time.Sleep(crowdedPause)
	}
}

func send(connection *net.UnixConn, began moment, stdin []byte, until moment) error {
	environment := strings.Join(os.Environ(), "\x00")
	call := append([]byte("CALL"), make([]byte, 16)...)
	binary.BigEndian.PutUint64(call[4:], uint64(began))
	binary.BigEndian.PutUint32(call[12:], uint32(len(environment)))
	binary.BigEndian.PutUint32(call[16:], uint32(len(stdin)))
	call = append(append(call, environment...), stdin...)
	if err := limit(connection, until); err != nil {
		return err
	}
	_, err := connection.Write(call)
	return err
}

func answerOf(connection *net.UnixConn, until moment) (int, []byte, error) {
	head := make([]byte, 5)
	if err := receive(connection, head, until); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > longestAnswer {
		return 0, nil, errNoAgent
	}
	document := make([]byte, size)
	return int(head[0]), document, receive(connection, document, until)
}

// receive fills a buffer.
func receive(connection *net.UnixConn, into []byte, until moment) error {
	if err := limit(connection, until); err != nil {
		return err
	}
	_, err := io.ReadFull(connection, into)
	return err
}

func limit(connection *net.UnixConn, until moment) error {
	if until == never {
		return connection.SetDeadline(time.Time{})
	}
	left := until.since(now())
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	return connection.SetDeadline(time.Now().Add(left))
}
