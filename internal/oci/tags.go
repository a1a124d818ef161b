package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// Limits for what a registry may answer when it is asked for its tags.
const (
	maxTagPage  = 16 << 20 // bytes of one page; 100,000 tags of 128 characters are 13 MB
	maxTagsRead = 10_000_000
)

// ListTags lists the names that begin with a prefix, sorted. At most limit of them are
// kept: more are an error that wraps [ErrInvalidContent]. A repository that does not
// exist has none.
//
// Unlike Store.Tags it does not take everything that is answered with success for a
// list: a page for people, or anything else that has no tags, wraps [ErrInvalidContent].
func ListTags(ctx context.Context, s Store, prefix string, limit int) ([]string, error) {
	list := tagList{location: s.Location(), prefix: prefix, limit: limit}
	var err error
	if r, ok := s.(*remote); ok {
		err = r.listTags(ctx, &list)
	} else {
		var all []string
		if all, err = s.Tags(ctx); err == nil {
			err = list.add(all)
		}
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(list.tags)
	return slices.Compact(list.tags), nil
}

// tagList collects those names of many that are wanted.
type tagList struct {
	location, prefix string
	limit, read      int
	tags             []string
}

func (l *tagList) add(page []string) error {
	l.read += len(page)
	for _, tag := range page {
		if strings.HasPrefix(tag, l.prefix) && isTag(tag) {
			l.tags = append(l.tags, tag)
		}
	}
	if len(l.tags) > l.limit || l.read > maxTagsRead {
		return fmt.Errorf("%s: %w: more than %d tags begin with %q", l.location, ErrInvalidContent, l.limit, l.prefix)
	}
	return nil
}

// listTags walks the pages (distribution specification, section "Listing Tags"). A
// page that fails is asked for again, not those before it.
func (r *remote) listTags(ctx context.Context, list *tagList) error {
	query := ""
	for range maxTagPages {
		var page []string
		next := ""
		err := r.retry(ctx, func(ctx context.Context, _ int) error {
			var err error
			page, next, err = r.tagPage(ctx, query)
			return err
		})
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil {
			err = list.add(page)
		}
		if err != nil || next == "" || next == query {
			return err
		}
		// A page without tags that names another one might do so for ever.
		if len(page) == 0 {
			return nil
		}
		query = next
	}
	return fmt.Errorf("%s: %w: the list of tags has more than %d pages", r.Location(), ErrInvalidContent, maxTagPages)
}

// tagPage reads one page and the query of the next.
func (r *remote) tagPage(ctx context.Context, query string) (tags []string, next string, err error) {
	ctx = auth.AppendRepositoryScope(ctx, r.repo.Reference, auth.ActionPull)
	// A cache in between must ask the registry.
	header := http.Header{"Accept": []string{"application/json"}, "Cache-Control": []string{"no-cache"}}
	resp, err := r.do(ctx, http.MethodGet, "tags/list"+query, header)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, "", responseError(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTagPage+1))
	if err != nil {
		return nil, "", err
	}
	if len(body) > maxTagPage {
		return nil, "", fmt.Errorf("%s: %w: a page of tags is larger than %d bytes", r.Location(), ErrInvalidContent, maxTagPage)
	}
	var page struct {
		Name *string   `json:"name"`
		Tags *[]string `json:"tags"`
	}
	if err := json.Unmarshal(body, &page); err != nil || page.Name == nil && page.Tags == nil {
		kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		return nil, "", fmt.Errorf("%s: %w: asked for its tags it answered with something else (%s, %q): "+
			"is this the address of a registry, and is nobody asked to log in by a page?", r.Location(), ErrInvalidContent, abbreviate(kind), r.clean(abbreviate(string(body))))
	}
	if page.Tags != nil {
		tags = *page.Tags
	}
	return tags, nextPage(resp.Header.Values("Link")), nil
}

// nextPage is the query of the next page, "" if there is none, from Link headers
// (RFC 8288). Only the query counts, so that a link cannot lead elsewhere.
func nextPage(links []string) string {
	for _, link := range strings.Split(strings.Join(links, ","), ",") {
		target, parameters, found := strings.Cut(strings.TrimSpace(link), ">")
		target, opened := strings.CutPrefix(target, "<")
		if !found || !opened || !strings.Contains(strings.ReplaceAll(parameters, `"`, ""), "rel=next") {
			continue
		}
		u, err := url.Parse(target)
		if err == nil && u.RawQuery != "" {
			return "?" + u.RawQuery
		}
	}
	return ""
}

// DeleteManifest removes a manifest by its digest, with the tags that name it.
// [ErrNotFound] when it is not there, [ErrUnsupported] where a registry cannot.
//
// Unlike Store.Delete it does not look at the manifest before, to see whether an index
// of referrers has to be kept up: that is for manifests without a subject. So it also
// tells what a registry says to the deletion of something that is not there.
func DeleteManifest(ctx context.Context, s Store, desc ocispec.Descriptor) error {
	r, ok := s.(*remote)
	if !ok {
		return s.Delete(ctx, desc)
	}
	if err := checkDescriptor(r.Location(), desc); err != nil {
		return err
	}
	return r.retry(ctx, func(ctx context.Context, try int) error {
		ctx = auth.AppendRepositoryScope(ctx, r.repo.Reference, auth.ActionDelete)
		resp, err := r.do(ctx, http.MethodDelete, "manifests/"+desc.Digest.String(), nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusAccepted, resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusNoContent,
			try > 1 && resp.StatusCode == http.StatusNotFound:
			_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody) // so that the connection can be used again
			return nil
		}
		return responseError(resp)
	})
}
