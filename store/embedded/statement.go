package embedded

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
)

// maxStatementBytes bounds a statement's text, inline rows included.
const maxStatementBytes = 64 << 20

// statement is a request of ClickHouse's HTTP protocol, understood.
type statement struct {
	sql      string
	format   string    // of rows sent, or of the answer when sql names none
	rows     io.Reader // what an INSERT stores; nil for everything else
	returns  bool      // the answer has columns, even when it has no rows
	scanned  bool      // nobody asks for the columns of an answer without rows
	native   bool      // the answer is in Native format
	stateful bool      // leaves something behind in its connection
	session  session
	params   params
	queryID  string
	revision uint64 // of the caller's Native protocol
	compress compress.Method
	packed   bool // the answer goes out in compressed frames
}

// protocolParams are URL parameters that are no settings.
var protocolParams = map[string]bool{
	"query": true, "query_id": true, "database": true, "default_format": true, "client_protocol_version": true,
	"quota_key": true, "session_id": true, "session_timeout": true, "session_check": true, "close_session": true,
	"user": true, "password": true, "role": true, "stacktrace": true, "buffer_size": true, "wait_end_of_query": true,
	"compress": true, "decompress": true, "readonly": true,
}

// parse reads a request. With readonly, the statement is held to reading whatever
// the request says.
func parse(req *http.Request, readonly bool) (*statement, error) {
	q := req.URL.Query()
	s := &statement{format: q.Get("default_format"), queryID: q.Get("query_id"), params: params{},
		scanned: isScanned(req.Context())}
	s.session = session{database: first(q.Get("database"), req.Header.Get("X-ClickHouse-Database")),
		settings: map[string]string{}}
	s.session.readonly = readonly || req.Method == http.MethodGet || q.Has("readonly") && q.Get("readonly") != "0"
	s.packed = q.Get("compress") == "1"
	s.compress = compression(q)
	for key := range q {
		if param, ok := strings.CutPrefix(key, "param_"); ok {
			s.params[param] = q.Get(key)
		} else if !protocolParams[key] {
			s.session.settings[key] = q.Get(key)
		}
	}
	if v := q.Get("client_protocol_version"); v != "" {
		if _, err := fmt.Sscan(v, &s.revision); err != nil {
			return nil, &Exception{Code: codeSyntax, Message: "client_protocol_version is no number"}
		}
	}
	if err := checkSettings(s.session.settings, readonly); err != nil {
		return nil, err
	}
	return s, s.read(q, req)
}

func compression(q url.Values) compress.Method {
	if strings.EqualFold(q.Get("network_compression_method"), "ZSTD") {
		return compress.ZSTD
	}
	return compress.LZ4
}

// read finds the statement's text, in the URL, in the body, or first in one and
// then in the other.
func (s *statement) read(q url.Values, req *http.Request) error {
	var body io.Reader = http.NoBody
	if req.Body != nil {
		body = req.Body
	}
	if strings.HasPrefix(req.Header.Get("Content-Type"), "multipart/") {
		return &Exception{Code: codeSyntax, Message: "external tables are not supported by the embedded engine"}
	}
	body, err := unpack(body, req.Header.Get("Content-Encoding"))
	if err != nil {
		return err
	}
	if q.Get("decompress") == "1" {
		body = frames{compress.NewReader(body)}
	}
	s.sql = q.Get("query")
	if s.insertsFrom(body) {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(body, maxStatementBytes+1))
	if err != nil {
		return fmt.Errorf("read the statement: %w", err)
	}
	if len(text) > maxStatementBytes {
		return &Exception{Code: codeSyntax, Message: fmt.Sprintf("the statement is larger than %d bytes", maxStatementBytes)}
	}
	if s.sql != "" && len(text) > 0 {
		s.sql += "\n"
	}
	s.sql += string(text)
	return s.classify()
}

// unpack undoes the Content-Encoding of a request.
func unpack(body io.Reader, encoding string) (io.Reader, error) {
	switch encoding {
	case "", "identity":
		return body, nil
	case "gzip":
		plain, err := gzip.NewReader(body)
		if err != nil {
			return nil, &Exception{Code: codeSyntax, Message: "the body is not gzip, as Content-Encoding says"}
		}
		return plain, nil
	}
	return nil, &Exception{Code: codeSyntax,
		Message: fmt.Sprintf("Content-Encoding %.20q is not supported; send gzip or none", encoding)}
}

// frames reads ClickHouse's compressed frames; their reader wraps the end.
type frames struct{ *compress.Reader }

func (f frames) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return n, err
}

// insertsFrom recognises an INSERT whose rows are the body: its text ends with
// FORMAT name or VALUES.
func (s *statement) insertsFrom(body io.Reader) bool {
	t := tokens(s.sql)
	n := len(t)
	if n < 3 || !t[0].is("INSERT") {
		return false
	}
	switch {
	case t[n-2].is("FORMAT") && t[n-1].kind == word:
		s.format, s.sql = t[n-1].text, s.sql[:t[n-2].start]
	case t[n-1].is("VALUES"):
		s.format, s.sql = "Values", s.sql[:t[n-1].start]
	default:
		return false
	}
	s.rows = body
	return true
}

// classify says how the statement has to be run, and refuses several at once.
func (s *statement) classify() error {
	t := tokens(s.sql)
	for len(t) > 0 && t[len(t)-1].text == ";" {
		s.sql = s.sql[:t[len(t)-1].start]
		t = t[:len(t)-1]
	}
	if len(t) == 0 {
		return &Exception{Code: codeSyntax, Message: "Empty query. (SYNTAX_ERROR)"}
	}
	first := strings.ToUpper(t[0].text)
	s.stateful = first == "SET" || first == "USE" || first == "CREATE" && len(t) > 1 && t[1].is("TEMPORARY")
	if first == "INSERT" {
		return nil
	}
	for i := range t {
		if t[i].text == ";" && t[i].kind == sign {
			return &Exception{Code: codeSyntax, Message: "Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)"}
		}
	}
	if len(t) == 1 && t[0].kind == word && leaves[strings.ToLower(t[0].text)] {
		return &Exception{Code: codeSyntax, Message: fmt.Sprintf("Syntax error: %s is no statement. (SYNTAX_ERROR)",
			t[0].text)}
	}
	s.returns = reads[first]
	s.native = strings.EqualFold(s.format, "Native") && !namesFormat(t)
	return nil
}

// reads are the first words of statements that answer with rows and change nothing.
var reads = map[string]bool{"SELECT": true, "WITH": true, "FROM": true, "(": true, "SHOW": true, "DESC": true,
	"DESCRIBE": true, "EXPLAIN": true, "EXISTS": true}

// leaves are words that the engine's console takes as a wish to leave.
var leaves = map[string]bool{"exit": true, "quit": true, "logout": true, "q": true, "учше": true, "йгше": true,
	"дщпщге": true, "й": true}

// namesFormat says whether the statement ends with FORMAT name, or has that before
// its settings.
func namesFormat(t []token) bool {
	for i := len(t) - 2; i > 0; i-- {
		if t[i].is("FORMAT") && t[i+1].kind == word {
			return i+2 == len(t) || t[i+2].is("SETTINGS")
		}
	}
	return false
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
