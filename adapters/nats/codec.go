package nats

import (
	"encoding/json"
	"fmt"
)

// Codec converts payloads and results to bytes and back. It must be safe for concurrent use. A
// worker can decode payloads of the codec of its client, and of [JSON]. It gives back a task with
// another codec, so that another worker can run it; after three times the task becomes a dead
// letter.
type Codec interface {
	// Name identifies the format, such as "json": at most 32 ASCII letters, digits and the
	// characters - and _.
	Name() string
	// Marshal returns v as bytes.
	Marshal(v any) ([]byte, error)
	// Unmarshal sets v, which is a pointer, from the bytes that Marshal has returned.
	Unmarshal(data []byte, v any) error
}

// JSON is the codec of package encoding/json, and the default.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

// Name returns json.
func (jsonCodec) Name() string { return "json" }

// Marshal returns v as JSON.
func (jsonCodec) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal reads JSON into v.
func (jsonCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// marshal calls the codec, and makes an error of a panic in it or in a method of the payload.
func marshal(codec Codec, v any) (data []byte, err error) {
	defer recovered("the codec or a method of the payload", &err)
	return codec.Marshal(v)
}

// unmarshal is marshal for the other direction.
func unmarshal(codec Codec, data []byte, v any) (err error) {
	defer recovered("the codec or a method of the payload", &err)
	return codec.Unmarshal(data, v)
}

// recovered is deferred around calls of the user's code. It makes an error of a panic.
func recovered(what string, err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("nats: %s panicked: %v", what, v)
	}
}

// validCodec returns an error for a codec that cannot be used.
func validCodec(codec Codec) (err error) {
	defer recovered("the method Name of the codec", &err)
	if codec == nil {
		return fmt.Errorf("nats: WithCodec: nil codec; pass nats.JSON or your own")
	}
	name := codec.Name()
	if name == "" || len(name) > 32 || encode(name) != name {
		return fmt.Errorf("nats: WithCodec: the name %s is not valid; use 1 to 32 ASCII letters, digits, - and _", quote(name))
	}
	return nil
}
