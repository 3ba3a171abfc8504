// Handlers that throw, for test_guard.c.
#include <stdexcept>
#include <string>

namespace shop
{
struct out_of_stock : std::runtime_error {
    explicit out_of_stock(const std::string &item) : std::runtime_error("no more " + item) {}
};
struct silent {
};

int depth; // of frames that are alive
struct frame {
    frame() { depth++; }
    ~frame() { depth--; }
};

[[noreturn]] static void sell(const std::string &item)
{
    frame here;
    throw out_of_stock(item);
}
} // namespace shop

extern "C" int throwing_depth(void)
{
    return shop::depth;
}

// What `context` asks for; an outcome of libshunt, as a number.
extern "C" int throwing_handler(void *context, const void *, void *)
{
    switch (*static_cast<const char *>(context)) {
    case 's':
        shop::sell("pears");
    case 'q':
        throw shop::silent();
    case 'i':
        throw 42;
    default:
        return 0;
    }
}
