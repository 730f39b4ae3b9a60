package request

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader carries the signature of sign: hmac.
const SignatureHeader = "Flowctl-Signature"

// signature is t=SECONDS,v1=HEX, with the HMAC-SHA256 of "SECONDS.BODY".
func signature(secret string, now time.Time, body []byte) string {
	seconds := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// dingTalk signs the URL: https://open.dingtalk.com/document/robots/customize-robot-security-settings
func dingTalk(secret string, now time.Time, query url.Values) {
	millis := strconv.FormatInt(now.UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(millis + "\n" + secret))
	query.Set("timestamp", millis)
	query.Set("sign", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// feishu signs within the body: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
func feishu(secret string, now time.Time, body map[string]any) {
	seconds := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(seconds+"\n"+secret)) // of nothing
	body["timestamp"] = seconds
	body["sign"] = base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// aliyun signs the parameters of an RPC: https://help.aliyun.com/document_detail/101343.html
func aliyun(method, id, secret, key string, now time.Time, query url.Values) {
	nonce := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, now.UnixNano()))
	for name, value := range map[string]string{
		"AccessKeyId": id, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": hex.EncodeToString(nonce[:16]),
		"Timestamp": now.UTC().Format("2006-01-02T15:04:05Z"), "Format": "JSON",
	} {
		query.Set(name, value)
	}
	query.Set("Signature", aliyunSignature(method, secret, query))
}

func aliyunSignature(method, secret string, query url.Values) string {
	encode := strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(method + "&%2F&" + encode(url.QueryEscape(encode(query.Encode())))))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
