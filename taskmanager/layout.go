package taskmanager

import "unsafe"

// The layout of a handle, asserted by the compiler where pointers have 64 bits. An index that
// is not 0 is an error, and so is one below 0.
//
//	line  offset  field      written by
//	  0      0    m          the submitter, before any other goroutine knows the handle
//	         8    name       the submitter
//	        24    queuedAt   the submitter; later only for a restart
//	        32    cfg        the submitter
//	        40    trouble    a failure, a restart, a cancellation
//	        48    started    a goroutine that asks for the channel, and the worker
//	        56    done       a goroutine that asks for the channel, and the worker
//	  1     64    word       the pool at the claim, the worker at the begin and the end
//	        68    worker     the worker at the begin
//	        72    startedAt  the worker at the begin
//	        80    place      the submitter; the table of names when it moves the entry
//	        88    task       the submitter; the worker at the end
//	       104    firstCtx   the submitter; the worker at the end
//
// A transfer of a cache line from one processor to another takes 80 to 250 ns, more than all
// instructions of a worker for a task. With everything that a worker needs for a simple task in one
// line, there is one transfer for a task to the worker, and none back.
//
// 128 bytes are a size class of Go's allocator, whose objects start at multiples of 128. With a
// pointer more, a handle would take 144 bytes and start anywhere in a line.
const (
	line   = 64
	bits64 = unsafe.Sizeof(uintptr(0)) / 8 // 1 where pointers have 64 bits, else 0
)

var (
	_ = [1]int{}[unsafe.Sizeof(Handle{})*bits64-2*line*bits64]

	_ = [1]int{}[unsafe.Offsetof(Handle{}.m)/line*bits64]
	_ = [1]int{}[(unsafe.Offsetof(Handle{}.name)+unsafe.Sizeof("")-1)/line*bits64]
	_ = [1]int{}[unsafe.Offsetof(Handle{}.queuedAt)/line*bits64]
	_ = [1]int{}[unsafe.Offsetof(Handle{}.cfg)/line*bits64]
	_ = [1]int{}[unsafe.Offsetof(Handle{}.trouble)/line*bits64]
	_ = [1]int{}[unsafe.Offsetof(Handle{}.started)/line*bits64]
	_ = [1]int{}[unsafe.Offsetof(Handle{}.done)/line*bits64]

	_ = [1]int{}[unsafe.Offsetof(Handle{}.word)*bits64-line*bits64]
	_ = [1]int{}[unsafe.Offsetof(Handle{}.worker)/line*bits64-bits64]
	_ = [1]int{}[unsafe.Offsetof(Handle{}.startedAt)/line*bits64-bits64]
	_ = [1]int{}[unsafe.Offsetof(Handle{}.place)/line*bits64-bits64]
	_ = [1]int{}[unsafe.Offsetof(Handle{}.task)/line*bits64-bits64]
	_ = [1]int{}[unsafe.Offsetof(Handle{}.firstCtx)/line*bits64-bits64]
)
