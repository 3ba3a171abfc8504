"""drill_mail: sends one letter, which comes on stdin: the program that `shunt work` runs in the drill."""
import sys


def parse_amount(text):
    return int(text)  # a ValueError that quotes the text


def look_up(customers, number):
    return customers[number]  # a KeyError that names the number


def send(letter):
    kind, _, value = letter.partition(" ")
    if kind == "amount":
        parse_amount(value)
    elif kind == "customer":
        look_up({}, int(value))
    elif kind == "address":
        print(f"the address of customer {value} cannot be read", file=sys.stderr)
        sys.exit(65)


if __name__ == "__main__":
    send(sys.stdin.read())
