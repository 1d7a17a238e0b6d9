package main

import (
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const (
	bootClock  = 7      // CLOCK_BOOTTIME, which goes on while the machine sleeps
	nullDevice = 0x0103 // the number of /dev/null, on every Linux
)

// A moment is of the boot-time clock, in nanoseconds.
type moment int64

func now() moment {
	var read syscall.Timespec
	if _, _, failure := syscall.Syscall(
		syscall.SYS_CLOCK_GETTIME, bootClock, uintptr(unsafe.Pointer(&read)), 0,
	); failure != 0 {
		panic(failure)
	}
	return moment(read.Nano())
}

func (m moment) after(pause time.Duration) moment { return m + moment(pause) }

func (m moment) since(earlier moment) time.Duration { return time.Duration(m - earlier) }

func readStdin() ([]byte, error) {
	var read []byte
	part := make([]byte, 64<<10)
	for len(read) < longestStdin {
		size, err := syscall.Read(0, part[:min(len(part), longestStdin-len(read))])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if size == 0 {
			break
		}
		read = append(read, part[:size]...)
	}
	return read, nil
}

// printed writes to standard output; what nobody can have read is not printed.
func printed(document []byte) bool {
	if len(document) > 0 && outputWasClosed() {
		return false
	}
	for len(document) > 0 {
		// Not by os.Stdout: a pipe that nobody reads would end the process.
		size, err := syscall.Write(1, document)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return false
		}
		document = document[size:]
	}
	return true
}

// outputWasClosed says whether Go has put /dev/null in the place of a closed standard output.
func outputWasClosed() bool {
	var output syscall.Stat_t
	if syscall.Fstat(1, &output) != nil {
		return true
	}
	return output.Mode&syscall.S_IFMT == syscall.S_IFCHR && output.Rdev == nullDevice
}

// takeOver becomes the other program; it returns where that cannot be run, or is this one.
func takeOver(direct string, stdin []byte, readable bool) {
	other, err := os.Stat(direct)
	if err != nil {
		return
	}
	if own, err := os.Stat(ownPath()); err != nil || os.SameFile(own, other) {
		return
	}
	// Standard input was read to its end: the other program gets it anew.
	if readable && !giveAnew(stdin) {
		return
	}
	_ = syscall.Exec(direct, []string{direct}, os.Environ())
}

// ownPath is where this program is; a runtime names it by its whole path.
func ownPath() string {
	if path, err := os.Executable(); err == nil {
		return path
	}
	return os.Args[0]
}

func giveAnew(stdin []byte) bool {
	file, err := nameless()
	if err != nil {
		return false
	}
	if _, err := file.Write(stdin); err != nil {
		return false
	}
	if _, err := file.Seek(0, 0); err != nil {
		return false
	}
	return syscall.Dup3(int(file.Fd()), 0, 0) == nil
}

func nameless() (*os.File, error) {
	if number, known := memfdCreate[runtime.GOARCH]; known {
		name := []byte("stdin\x00")
		file, _, failure := syscall.Syscall(number, uintptr(unsafe.Pointer(&name[0])), 0, 0)
		if failure == 0 {
			return os.NewFile(file, "stdin"), nil
		}
	}
	file, err := os.CreateTemp("", "moorage-stdin-")
	if err == nil {
		err = os.Remove(file.Name())
	}
	return file, err
}

// memfd_create(2), of which the library knows no number.
var memfdCreate = map[string]uintptr{"amd64": 319, "arm64": 279}
