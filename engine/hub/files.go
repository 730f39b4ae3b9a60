package hub

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"flowctl/engine"
	"flowctl/engine/wire"
)

const (
	filesPerPart = 1000      // of a tree; some 100 kB
	blobPartSize = 256 << 10 // bytes
)

// Tree implements the call of the same name.
func (h *Hub) Tree(r *wire.TreeRequest, s grpc.ServerStreamingServer[wire.TreePart]) error {
	files, err := h.opts.Store.Files(s.Context(), engine.RevisionID(r.Revision))
	if err != nil {
		return status.Errorf(codes.Internal, "list the files of revision %d: %v", r.Revision, err)
	}
	for len(files) > 0 {
		n := min(len(files), filesPerPart)
		part := &wire.TreePart{Files: make([]*wire.File, n)}
		for i, f := range files[:n] {
			part.Files[i] = &wire.File{Path: f.Path, Mode: f.Mode, Hash: f.Hash, Size: f.Size}
		}
		if err := s.Send(part); err != nil {
			return err
		}
		files = files[n:]
	}
	return nil
}

// Blobs implements the call of the same name.
func (h *Hub) Blobs(r *wire.BlobsRequest, s grpc.ServerStreamingServer[wire.BlobPart]) error {
	for _, hash := range r.Hashes {
		data, err := h.opts.Store.Blob(s.Context(), hash)
		if err != nil {
			return status.Errorf(codes.Internal, "read blob %s: %v", hash, err)
		}
		for {
			n := min(len(data), blobPartSize)
			last := n == len(data)
			if err := s.Send(&wire.BlobPart{Data: data[:n], Last: last}); err != nil {
				return err
			}
			if last {
				break
			}
			data = data[n:]
		}
	}
	return nil
}
