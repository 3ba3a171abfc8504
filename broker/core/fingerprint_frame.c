/* fingerprint_frame: see fingerprint_frame.h. */
#include "broker/core/fingerprint_frame.h"

#include "broker/core/fingerprint_frame_c.h"
#include "broker/core/fingerprint_line.h"

/* ---- Python: File "/srv/pay.py", line 12, in charge ---- */

static bool read_python(struct slice line, struct frame *ret)
{
    const char *quote = find(line, '"');
    struct slice rest = quote ? between(quote + 1, end_of(line)) : line;
    if (!quote || !skip(&rest, ", line "))
        return false;
    rest = behind(rest, count_class(rest, DIGIT));
    bool named = skip(&rest, ", in "); /* where a file has bad syntax there is no function */
    return frame_is(ret, SHAPE_PYTHON, named ? rest : (struct slice){0}, between(line.data, quote));
}

/* ---- Ruby: from /srv/pay.rb:12:in `block in charge' ---- */

/* Where the line goes on behind `FILE:12:in `; NULL: it does not look like that. */
static const char *behind_in(struct slice line, struct slice *ret_path)
{
    const char *colon = find(line, ':');
    if (!colon)
        return NULL;
    struct slice rest = between(colon + 1, end_of(line));
    size_t digits = count_class(rest, DIGIT);
    rest = behind(rest, digits);
    *ret_path = between(line.data, colon);
    return digits && skip(&rest, ":in ") && rest.size > 1 ? rest.data : NULL;
}

bool frame_read_ruby(struct slice line, struct frame *ret)
{
    struct slice pathname;
    const char *in = behind_in(line, &pathname);
    if (!in || (in[0] != '`' && in[0] != '\''))
        return false;
    struct slice function = between(in + 1, end_of(line));
    const char *quote = find(function, '\'');
    if (!quote)
        return false;
    function = between(in + 1, quote);
    const char *within = find_words(function, " in ");
    function = within ? between(within + 4, quote) : function;
    if (!begins(function, "<")) /* 3.4 names the class, too */
        function = behind_last(behind_last(function, '#'), '.');
    (void)frame_is(ret, SHAPE_RUBY, function, pathname);
    ret->rest = between(quote + 1, end_of(line));
    return true;
}

/* ---- numbered: PHP's, or C's ---- */

/* `/srv/pay.php(12): Pay->charge(Array)` */
static bool read_php(struct slice line, struct frame *ret)
{
    const char *colon = find_words(line, ": ");
    if (!colon)
        return slice_is(line, "{main}") && frame_is(ret, SHAPE_PHP, line, (struct slice){0});
    struct slice pathname = between(line.data, colon), function = between(colon + 2, end_of(line));
    if (last_of(pathname) != ')' && !begins(pathname, "[internal"))
        return false;
    const char *paren = find_last(pathname, '(');
    if (paren)
        pathname = between(pathname.data, paren);
    return frame_is(ret, SHAPE_PHP, before(function, '('), pathname);
}

static bool read_numbered(struct slice line, struct frame *ret)
{
    size_t digits = count_class(line, DIGIT);
    if (digits == 0)
        return false;
    bool first = digits == 1 && *begin_of(line) == '0';
    line = behind(line, digits);
    skip_blanks(&line);
    bool native = skip(&line, "0x");
    if (native) {
        line = behind(line, count_class(line, HEX));
        skip_blanks(&line);
        (void)skip(&line, "in ");
    }
    bool found = !native && read_php(line, ret);
    if (!found && (native || find(line, '(')))
        found = frame_read_c_numbered(line, ret);
    if (found)
        ret->first = first;
    return found;
}

/* ---- at …: node, Java, .NET ---- */

/* `Order.save [as handler]`: the method alone, because its class is that of the object at hand. */
static struct slice node_name(struct slice name)
{
    const char *as = find_words(name, " [as ");
    return behind_last(as ? between(name.data, as) : name, '.');
}

static bool read_node(struct slice name, struct slice place, struct frame *ret)
{
    if (skip(&place, "eval at "))
        place = behind_last(before(place, ','), '(');
    (void)skip(&place, "async ");
    (void)skip(&place, "file://");
    while (last_of(place) == ')')
        place.size--;
    bool numbered = cut_line_numbers(&place);
    bool found = frame_is(ret, SHAPE_NODE, node_name(name), before(place, '?')); /* app.js?v=17 */
    if (!numbered || (!find(place, '/') && !find(place, '\\'))) /* <anonymous>, native, index 0; timers.js */
        ret->owner = OWNER_RUNTIME;
    return found;
}

/* `app//org.acme.Pay.charge(Pay.java:12) ~[pay.jar:1.0]`, `Acme.Pay.Charge(String s) in /src/Pay.cs:line 12` */
static bool read_java(struct slice line, const char *paren, struct frame *ret)
{
    struct slice name = between(line.data, paren);
    const char *slash = find_last(before(name, '$'), '/'); /* `$$Lambda$14/0x…` has no module before it */
    if (slash)
        name = between(slash + 1, paren);
    struct slice place = before(between(paren + 1, end_of(line)), ')');
    const char *in = find_words(line, ") in ");
    if (in) {
        place = between(in + 5, end_of(line));
        const char *number = find_words(place, ":line ");
        place = number ? between(place.data, number) : place;
    } else if (!cut_line_numbers(&place) && find(place, ' ')) {
        place.size = 0; /* parameters, `Native Method`, `Unknown Source` */
    }
    return frame_is(ret, SHAPE_JAVA, name, place);
}

static bool read_at(struct slice line, struct frame *ret)
{
    if (begins(line, "0x"))
        return frame_read_valgrind(line, ret);
    (void)skip(&line, "async ");
    (void)skip(&line, "new ");
    const char *paren = find(line, '(');
    if (!paren)
        return (find(line, ':') || begins(line, "<")) && read_node((struct slice){0}, line, ret);
    if (paren > begin_of(line) && paren[-1] == ' ')
        return read_node(between(line.data, paren - 1), between(paren + 1, end_of(line)), ret);
    return find(line, '.') && read_java(line, paren, ret);
}

/* ---- the line ---- */

bool frame_read(struct slice line, struct frame *ret)
{
    static const struct shape {
        const char *begins;
        size_t size;
        bool (*read)(struct slice line, struct frame *ret);
    } shapes[] = {{"at ", 3, read_at},
                  {"File \"", 6, read_python},
                  {"#", 1, read_numbered},
                  {"from ", 5, frame_read_ruby},
                  {"by 0x", 5, frame_read_valgrind}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct slice rest = line;
        if (skip_words(&rest, shapes[i].begins, shapes[i].size))
            return shapes[i].read(rest, ret);
    }
    return line.size && (frame_read_ruby(line, ret) || frame_read_c(line, ret));
}

/* `3: app::charge`, `3:     0x5555 - app::charge::h0123456789abcdef` */
bool frame_read_rust(struct slice line, struct frame *ret)
{
    size_t digits = count_class(line, DIGIT);
    line = behind(line, digits);
    if (digits == 0 || !skip(&line, ": "))
        return false;
    const char *dash = find_words(line, " - ");
    if (dash)
        line = between(dash + 3, end_of(line));
    skip_blanks(&line);
    const char *hash = find_words(line, "::h");
    if (hash && end_of(line) - hash == 19)
        line = between(line.data, hash);
    return frame_is(ret, SHAPE_RUST, line, (struct slice){0});
}

/* A package of the standard library: its first folder is one of these, and has no dot. */
static bool is_go_standard(struct slice function)
{
    static const char *const packages[] = {
        "archive", "bufio",   "bytes",    "compress", "container", "context", "crypto",  "database",
        "debug",   "embed",   "encoding", "errors",   "expvar",    "flag",    "fmt",     "go",
        "hash",    "html",    "image",    "index",    "internal",  "io",      "iter",    "log",
        "maps",    "math",    "mime",     "net",      "os",        "panic",   "path",    "plugin",
        "reflect", "regexp",  "runtime",  "slices",   "sort",      "strconv", "strings", "sync",
        "syscall", "testing", "text",     "time",     "unicode",   "unique",  "unsafe"};
    struct slice first = before(function, '/');
    if (first.size == function.size)
        first = before(function, '.');
    for (size_t i = 0; i < sizeof packages / sizeof *packages; i++) {
        if (first.size && packages[i][0] == *begin_of(first) && slice_is(first, packages[i]))
            return true;
    }
    return false;
}

void frame_read_go(struct slice line, struct frame *ret)
{
    const char *paren = find_last(line, '(');
    (void)frame_is(ret, SHAPE_GO, paren ? between(line.data, paren) : line, (struct slice){0});
    if (is_go_standard(ret->function))
        ret->owner = OWNER_RUNTIME;
}

void frame_set_file(struct frame *f, struct slice pathname)
{
    pathname = before(pathname, ' ');
    (void)cut_line_numbers(&pathname);
    f->file = code_base_name(pathname);
    f->pathname = pathname;
    if (f->owner == OWNER_OWN)
        f->owner = code_owner(f->shape, f->function, pathname);
}
