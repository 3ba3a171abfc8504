/* negotiate: what scrapers send, and what nobody should. */
#include "broker/http/negotiate.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

struct coding {
    char accept_encoding[128];
    bool gzip;
};

ParameterizedTestParameters(negotiate, gzip_is_for_those_that_take_it)
{
    static struct coding codings[] = {
        {"", false},
        {"gzip", true},
        {"GZip", true},
        {"x-gzip", true},
        {"gzip, deflate, br, zstd", true},
        {"deflate , gzip;q=0.5", true},
        {"br", false},
        {"gzipped", false},
        {"*", true},
        {"*;q=0", false},
        {"identity", false},
        {"gzip;q=0", false},
        {"gzip;q=0.000, *", false}, /* a wildcard is for what is not named, wherever it stands */
        {"*, gzip;q=0", false},
        {"*;q=0, gzip;q=0.001", true},
        {"gzip;q=2", false},
        {"gzip;q=", false},
        {",;,=,\",", false},
        {";;;;gzip", false},
    };
    return cr_make_param_array(struct coding, codings, sizeof codings / sizeof codings[0]);
}

ParameterizedTest(struct coding *c, negotiate, gzip_is_for_those_that_take_it)
{
    cr_assert_eq(negotiate_gzip(c->accept_encoding), c->gzip, "`%s`", c->accept_encoding);
}

Test(negotiate, without_the_header_nothing_is_compressed)
{
    cr_assert(!negotiate_gzip(NULL));
}

struct wish {
    char accept[256], second[64]; /* empty: no such header */
    bool openmetrics;
};

ParameterizedTestParameters(negotiate, each_wish_has_its_format)
{
#define OM "application/openmetrics-text"
    static struct wish wishes[] = {
        {"", "", false},
        {"*/*", "", false},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "", false},
        {OM, "", true},
        {OM "; version=1.0.0", "", true},
        {OM "; version=1.0.0; charset=utf-8", "", true},
        {"Application/OpenMetrics-Text;Version=\"1.0.0\"", "", true},
        /* Prometheus 2.42 and 3 */
        {OM ";version=1.0.0," OM ";version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "", true},
        {OM ";version=1.0.0;escaping=allow-utf-8;q=0.5," OM ";version=0.0.1;q=0.4,"
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
         "", true},
        /* another version is another format */
        {OM ";version=0.0.1", "", false},
        {OM ";version=2.0.0,*/*", "", false},
        {OM ";version=1.0.0.0", "", false},
        {OM "x", "", false},
        {"text/openmetrics-text", "", false},
        {"application/*", "", false},
        /* weights */
        {OM ";q=0", "", false},
        {OM ";q=0.000", "", false},
        {OM ";q=0.001", "", true},
        {OM ";q=0.4,text/plain;q=0.5", "", false},
        {OM ";q=0.5,text/plain;q=0.5", "", true},
        {"text/plain, " OM ";q=0.999", "", false},
        {"text/plain;q=0.1," OM ";q=0.2,*/*", "", true}, /* the closer range counts */
        {"*/*," OM ";q=0.2,text/plain;q=0.1", "", true},
        {OM ";q=0.2,text/*", "", false},
        {OM ";q=0.2,text/plain;version=1.0.0", "", true}, /* a plain format that we do not have */
        {OM ";q=0.2;version=1.0.0," OM ";q=0.9,text/plain;q=0.5", "", true},
        {OM ";q=2", "", false},
        {OM ";q=1.1", "", false},
        {OM ";q=0.1234", "", false},
        {OM ";q=", "", false},
        {OM ";q", "", false},
        {OM ";q=a", "", false},
        /* two headers are one list */
        {"text/plain;q=0.5", OM, true},
        {OM ";q=0.5", "text/plain", false},
        /* nonsense is passed over */
        {",;,=,\",", OM, true},
        {"a;b=\"," OM "\"", "", false},
        {"a;b=\"\\\",\"," OM, "", true},
        {";;;;" OM, "", false},
        {" \t" OM "\t ; \tversion=1.0.0 ", "", true},
    };
    return cr_make_param_array(struct wish, wishes, sizeof wishes / sizeof wishes[0]);
}

ParameterizedTest(struct wish *w, negotiate, each_wish_has_its_format)
{
    struct negotiation n = {0};
    if (w->accept[0])
        negotiate_read(&n, w->accept);
    if (w->second[0])
        negotiate_read(&n, w->second);
    cr_assert_eq(negotiate_format(&n) == METRICS_OPENMETRICS, w->openmetrics, "`%s` and `%s`", w->accept,
                 w->second);
}
