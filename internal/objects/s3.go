package objects

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// The URL of a bucket is s3://BUCKET/FOLDER, and may have these parameters:
//
//	region=R                 else AWS_REGION, AWS_DEFAULT_REGION, or what the server answers
//	endpoint=https://HOST    a server that speaks S3; else AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or Amazon
//	s3ForcePathStyle=true    the bucket's name goes into the path, not into the host's name
//	profile=P                of the file of credentials
//
// Credentials are those of the environment (AWS_ACCESS_KEY_ID and the like), of
// ~/.aws/credentials, or of the machine's or container's role.
const (
	paramRegion    = "region"
	paramEndpoint  = "endpoint"
	paramPathStyle = "s3ForcePathStyle"
	paramProfile   = "profile"
)

var s3Params = []string{paramRegion, paramEndpoint, paramPathStyle, paramProfile}

// amazon is where S3 is; the client makes the region's address of it.
const amazon = "https://s3.amazonaws.com"

// s3Client makes a client for the server that a URL names.
func s3Client(u *url.URL) (*minio.Client, error) {
	params, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, err
	}
	for name := range params {
		if !slices.Contains(s3Params, name) {
			return nil, fmt.Errorf("parameter %q is not known: allowed are %s", name, strings.Join(s3Params, ", "))
		}
	}
	at, err := endpointOf(params.Get(paramEndpoint))
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupAuto
	if text := params.Get(paramPathStyle); text != "" {
		path, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%s is %q: allowed are true and false", paramPathStyle, text)
		}
		if path {
			lookup = minio.BucketLookupPath
		}
	}
	return minio.New(at.Host, &minio.Options{
		Secure:       at.Scheme == "https",
		Region:       firstOf(params.Get(paramRegion), os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")),
		Creds:        s3Credentials(params.Get(paramProfile)),
		BucketLookup: lookup,
	})
}

// endpointOf is the address of the server.
func endpointOf(param string) (*url.URL, error) {
	text := firstOf(param, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"), amazon)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	at, err := url.Parse(text)
	if err == nil && (at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || strings.Trim(at.Path, "/") != "") {
		err = fmt.Errorf("allowed is http://HOST:PORT or https://HOST")
	}
	if err != nil {
		return nil, fmt.Errorf("endpoint %q: %w", text, err)
	}
	return at, nil
}

// roleTimeout bounds how long the machine's role is asked for, which other
// machines than Amazon's do not have.
const roleTimeout = 5 * time.Second

func s3Credentials(profile string) *credentials.Credentials {
	file := &credentials.FileAWSCredentials{Profile: profile}
	if profile != "" {
		return credentials.New(file)
	}
	return credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{},
		file,
		&credentials.IAM{Client: &http.Client{Timeout: roleTimeout}},
	})
}

// firstOf is the first text that is not empty.
func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
