package main

import (
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
	if wasClosed(0) {
		return nil, syscall.EBADF
	}
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
	if len(document) > 0 && wasClosed(1) {
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

// wasClosed says whether Go has put /dev/null in the place of a closed descriptor, which it opens
// for reading and writing; no shell does.
func wasClosed(descriptor int) bool {
	var about syscall.Stat_t
	if syscall.Fstat(descriptor, &about) != nil {
		return true
	}
	flags, _, failure := syscall.Syscall(syscall.SYS_FCNTL, uintptr(descriptor), syscall.F_GETFL, 0)
	isNull := about.Mode&syscall.S_IFMT == syscall.S_IFCHR && about.Rdev == nullDevice
	return failure != 0 || isNull && flags&syscall.O_ACCMODE == syscall.O_RDWR
}
