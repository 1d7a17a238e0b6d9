// Command moorage passes a CNI call on to the agent of its node, as it is.
//
// It is moorage.cni.forwarder for nodes without Python, and says the same words to the agent; that
// module says why each is as it is. What both must know of the node stands in the last line of the
// program's own file, as JSON, where moorage-agent install has put it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"time"
)

const (
	// How long a STATUS takes in all.
	statusPatience = 20 * time.Second
	longestStdin   = 16 << 20
	// Between two attempts, where an agent is waited for.
	firstPause   = 20 * time.Millisecond
	longestPause = 500 * time.Millisecond
	// Of the program's file, at most, in which its last line stands.
	longestSettings = 16 << 10

	never = moment(math.MaxInt64)
)

// settings are what a node's program is told when it is installed.
type settings struct {
	Agent    string   `json:"agent"`    // the socket that the agent listens on
	Versions []string `json:"versions"` // of CNI, the newest is the last
	Patience float64  `json:"patience"` // seconds
}

func main() {
	// A process of milliseconds collects nothing.
	debug.SetGCPercent(-1)
	began := now()
	node, err := installed()
	if err != nil {
		os.Exit(tellFault(anyVersion, err))
	}
	code := 1
	defer func() { os.Exit(code) }()
	defer func() {
		if fault := recover(); fault != nil {
			code = tellFault(node.newest(), fault)
		}
	}()
	code = node.answer(began)
}

// installed reads the last line of this program.
func installed() (*settings, error) {
	// The very file that runs, also where another has been put in its place meanwhile.
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		program, err = os.Open(os.Args[0])
	}
	if err != nil {
		return nil, err
	}
	defer program.Close()
	about, err := program.Stat()
	if err != nil {
		return nil, err
	}
	tail := make([]byte, min(longestSettings, about.Size()))
	if _, err := program.ReadAt(tail, about.Size()-int64(len(tail))); err != nil && err != io.EOF {
		return nil, err
	}
	tail = bytes.TrimRight(tail, "\n")
	node := &settings{}
	if err := json.Unmarshal(tail[bytes.LastIndexByte(tail, '\n')+1:], node); err != nil {
		return nil, fmt.Errorf("this program was not installed by moorage-agent install: %w", err)
	}
	return node, nil
}

// answer answers the one call that the environment describes, and returns the exit code.
func (node *settings) answer(began moment) int {
	verb := os.Getenv("CNI_COMMAND")
	var stdin []byte
	readable := false
	if verb != "" {
		var err error
		stdin, err = readStdin()
		readable = err == nil
	}
	if readable {
		if code, err := forward(node.Agent, began, stdin, endOf(verb, began)); err == nil {
			return code
		}
	}
	return node.answerAlone(verb, began, stdin, readable)
}

// endOf says when whoever made the call hears no answer any more.
func endOf(verb string, began moment) moment {
	if verb == "STATUS" {
		return began.after(statusPatience)
	}
	return never
}

// answerAlone answers where the agent gives no answer; no other program is on such a node.
func (node *settings) answerAlone(verb string, began moment, stdin []byte, readable bool) int {
	version := node.versionAskedFor(stdin)
	patience := time.Duration(node.Patience * float64(time.Second))
	switch {
	case verb == "":
		return fail(version, 4, "required env variables [CNI_COMMAND] missing",
			"a container runtime sets them; to try by hand, use cnitool")
	case !readable:
		return fail(version, 5, "standard input cannot be read", "pass the network configuration")
	case verb == "VERSION":
		return tell(supported{version, node.Versions}, 0)
	case verb == "STATUS":
		patience = min(patience, statusPatience)
	}
	code, err := node.forwardLater(began, stdin, patience, endOf(verb, began))
	if err == nil {
		return code
	}
	failure := 11
	if verb == "STATUS" {
		failure = 50
	}
	return fail(version, failure,
		fmt.Sprintf("moorage-agent gives no answer at %s within %g seconds (%s)",
			node.Agent, patience.Seconds(), kind(err)),
		"the runtime tries again; if this stays, see why moorage-agent does not run on this node, "+
			"or does not listen there")
}

// forwardLater is forward, until it succeeds or patience ends, which begins now.
func (node *settings) forwardLater(
	began moment, stdin []byte, patience time.Duration, end moment,
) (int, error) {
	// An agent that took the call and was silent for long is not asked again.
	until := min(now().after(patience), began.after(answeredWithin), end)
	var last error = os.ErrDeadlineExceeded
	for pause := firstPause; now() < until; pause = min(2*pause, longestPause) {
		time.Sleep(pause)
		// Each attempt is later than the one before, so that an agent which takes back what nobody
		// heard of leaves alone what this one is told; and earlier than any other call since.
		began++
		code, err := forward(node.Agent, began, stdin, end)
		if err == nil {
			return code, nil
		}
		last = err
	}
	return 0, last
}

// kind says what an error is at its core.
func kind(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}
