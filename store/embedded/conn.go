package embedded

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"unsafe"
)

// insertChunkBytes is how much of an insert's body goes to the engine at once.
const insertChunkBytes = 1 << 20

// conn is one connection of the library. It runs one statement at a time.
type conn struct {
	// Constant after dial.
	lib    *library
	handle unsafe.Pointer // what closeConn wants
	ptr    unsafe.Pointer // what the statements want
	tag    string         // names the connection's statements, for kill

	// Owned by the holder.
	session session
	broken  bool
	chunk   []byte // for the rows of inserts
}

// dial opens a connection. Every connection starts in UTC, so that nothing depends
// on the machine's time zone.
func dial(lib *library, args []string, id int) (*conn, error) {
	argv := make([]*byte, len(args))
	for i, arg := range args {
		argv[i] = unsafe.SliceData(append([]byte(arg), 0))
	}
	handle := lib.connect(int32(len(argv)), unsafe.Pointer(unsafe.SliceData(argv)))
	runtime.KeepAlive(argv)
	if handle == nil {
		return nil, errRefused
	}
	c := &conn{lib: lib, handle: handle, ptr: *(*unsafe.Pointer)(handle), tag: fmt.Sprintf("statewire-%d", id)}
	if err := c.exec("SET session_timezone = 'UTC', log_comment = " + quote(c.tag)); err != nil {
		c.close()
		return nil, fmt.Errorf("set up an engine connection: %w", err)
	}
	return c, nil
}

func (c *conn) close() {
	c.lib.closeConn(c.handle)
}

// exec runs a statement whose answer nobody reads.
func (c *conn) exec(sql string) error {
	r, err := c.query(sql, "Null", nil)
	if err != nil {
		return err
	}
	r.free()
	return nil
}

// scalar runs a statement and returns its answer as text.
func (c *conn) scalar(sql string) (string, error) {
	r, err := c.query(sql, "TSVRaw", nil)
	if err != nil {
		return "", err
	}
	defer r.free()
	return strings.TrimRight(string(r.bytes()), "\n"), nil
}

// query runs a statement to its end. The result must be freed. One that failed ends the
// connection: the rows before the failure stay in it, and come before the next answer.
func (c *conn) query(sql, format string, p params) (*result, error) {
	names, values := p.arrays()
	r := &result{lib: c.lib, ptr: c.lib.query(c.ptr, unsafe.StringData(sql), uintptr(len(sql)),
		unsafe.StringData(format), uintptr(len(format)),
		names.pointers(), names.lengths(), values.pointers(), values.lengths(), uintptr(len(p)))}
	runtime.KeepAlive(names)
	runtime.KeepAlive(values)
	if err := r.err(); err != nil {
		r.free()
		c.broken = true
		return nil, err
	}
	return r, nil
}

// stream starts a SELECT whose rows are fetched piece by piece; the stream must be
// closed.
func (c *conn) stream(sql, format string, p params) (*stream, error) {
	names, values := p.arrays()
	r := result{lib: c.lib, ptr: c.lib.streamQuery(c.ptr, unsafe.StringData(sql), uintptr(len(sql)),
		unsafe.StringData(format), uintptr(len(format)),
		names.pointers(), names.lengths(), values.pointers(), values.lengths(), uintptr(len(p)))}
	runtime.KeepAlive(names)
	runtime.KeepAlive(values)
	if err := r.err(); err != nil {
		r.free()
		return nil, err
	}
	return &stream{conn: c, handle: r}, nil
}

// errStopped says that the engine takes no more rows; why, the stream's end tells.
var errStopped = errors.New("the engine took no more rows and did not say why")

// insert sends body as the rows of an INSERT statement that names no format. The
// rows are stored, or not, when it returns nil, or an error of the engine; an error
// of the body stores nothing that the engine had not already taken as a block.
func (c *conn) insert(sql, format string, body io.Reader) (*result, error) {
	s := c.lib.insert(c.ptr, unsafe.StringData(sql), uintptr(len(sql)), unsafe.StringData(format), uintptr(len(format)))
	defer c.lib.insertDestroy(s)
	if msg := text(c.lib.insertError(s)); msg != "" {
		return nil, exception(msg)
	}
	n, err := c.appendAll(s, body)
	if err == nil && n == 0 {
		err = &Exception{Code: codeNoData, Message: "the INSERT came without data"}
	}
	// A stream that failed is ended like any other, never cancelled: the library's
	// cancel can abort the process when the engine has given up meanwhile. A block that
	// is not whole is refused by the engine.
	r := &result{lib: c.lib, ptr: c.lib.insertDone(s)}
	if err != nil {
		if why := r.err(); why != nil && errors.Is(err, errStopped) {
			err = why
		}
		r.free()
		return nil, err
	}
	if err := r.err(); err != nil {
		r.free()
		return nil, err
	}
	return r, nil
}

func (c *conn) appendAll(s unsafe.Pointer, body io.Reader) (int64, error) {
	if c.chunk == nil {
		c.chunk = make([]byte, insertChunkBytes)
	}
	var total int64
	for {
		n, err := body.Read(c.chunk)
		if n > 0 && c.lib.insertAppend(s, unsafe.SliceData(c.chunk), uintptr(n)) != 0 {
			return total, errStopped
		}
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, fmt.Errorf("read the rows to insert: %w", err)
		}
	}
}

// stream is a SELECT under way.
type stream struct {
	conn   *conn
	handle result
	ended  bool
}

// next returns the next piece, nil at the end. It must be freed.
func (s *stream) next() (*result, error) {
	if s.ended {
		return nil, nil
	}
	r := &result{lib: s.conn.lib, ptr: s.conn.lib.streamFetch(s.conn.ptr, s.handle.ptr)}
	err := r.err()
	if err != nil || len(r.bytes()) == 0 {
		s.ended = true
		r.free()
		return nil, err
	}
	return r, nil
}

func (s *stream) close() {
	if !s.ended {
		s.conn.lib.streamCancel(s.conn.ptr, s.handle.ptr)
	}
	s.handle.free()
}

// result is an answer of the library, in its memory.
type result struct {
	lib *library
	ptr unsafe.Pointer
}

func (r *result) err() error {
	if msg := text(r.lib.resultError(r.ptr)); msg != "" {
		return exception(msg)
	}
	return nil
}

// bytes are valid until free.
func (r *result) bytes() []byte {
	return unsafe.Slice((*byte)(r.lib.resultBuffer(r.ptr)), int(r.lib.resultLength(r.ptr)))
}

func (r *result) free() { r.lib.destroy(r.ptr) }

// params are the values of {name:Type} places, as a ClickHouse URL carries them.
type params map[string]string

func (p params) arrays() (names, values textArray) {
	for name, value := range p {
		names.add(name)
		values.add(value)
	}
	return names, values
}

// textArray is a list of texts as C wants it.
type textArray struct {
	ptrs []*byte
	lens []uintptr
}

func (a *textArray) add(s string) {
	b := append([]byte(s), 0) // never a nil pointer, even when empty
	a.ptrs = append(a.ptrs, unsafe.SliceData(b))
	a.lens = append(a.lens, uintptr(len(s)))
}

func (a *textArray) pointers() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(a.ptrs)) }

func (a *textArray) lengths() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(a.lens)) }
