"""A shop made of pages: a visitor fills a cart, signs in, and finds the cart where it was.

Start it with `uvicorn shop:app --app-dir examples --port 8400` and open http://localhost:8400.
The pages need no script. Signing in and the account's own pages are Gatepost's, under /auth.
"""

from collections import Counter
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment

from gatepost import Gatepost, Move, Principal, Visitor

GOODS = {"kettle": 3900, "lamp": 2450, "oar": 5200}
PAGE = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Seven Lamps</title>
<style>
  body { font: 1.05rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 0 auto; padding: 1rem; color: #222 }
  header, li { display: flex; gap: 1rem; align-items: center; flex-wrap: wrap }
  h1 { flex: 1 0 auto } li span { flex: 1 } ul { padding: 0 } li { border-top: 1px solid #ccc; padding: .5rem 0 }
  form { margin: 0 } button { font: inherit; padding: .5rem 1rem; cursor: pointer }
  a { color: #0b57a4 } .price { flex: none; font-variant-numeric: tabular-nums }
</style>
<header>
  <h1>Seven Lamps</h1>
  {% if email %}
  <a href="/auth/account">{{ email }}</a>
  <form method="post" action="/auth/sign-out"><button name="next" value="/">Sign out</button></form>
  {% else %}
  <a href="/auth/sign-in?next=/">Sign in</a>
  {% endif %}
</header>
{% if thanks %}<p role="status">Thank you, {{ email }}. Order {{ thanks }} is on its way.</p>{% endif %}
<h2>Goods</h2>
<ul>{% for name, cents in goods.items() %}
  <li><span>{{ name|capitalize }}</span><span class="price">{{ money(cents) }}</span>
    <form method="post" action="/cart">
      <button name="item" value="{{ name }}" aria-label="Add {{ name }}">Add</button></form></li>
{% endfor %}</ul>
<h2>Your cart</h2>
{% if cart %}
<ul>{% for name, count in cart.items() %}
  <li><span>{{ count }} × {{ name }}</span><span class="price">{{ money(count * goods[name]) }}</span></li>
{% endfor %}</ul>
{% if email %}<form method="post" action="/order"><button>Order</button></form>
{% else %}<p><a href="/auth/sign-in?next=/">Sign in</a> or <a href="/auth/sign-up?next=/">sign up</a> to order.</p>
{% endif %}
{% else %}<p>Nothing yet.</p>{% endif %}
</html>
""")

app = FastAPI(title="Shop")
auth = Gatepost()
auth.init_app(app, prefix="/auth")
orders: list[tuple[str, dict[str, int]]] = []

Anybody = Annotated[Principal | Visitor, Depends(auth.visit())]  # whoever has no session yet gets a visit
Somebody = Annotated[Principal | Visitor | None, Depends(auth.perhaps)]
Customer = Annotated[Principal, Depends(auth.signed_in)]


@auth.carry_over
def both_carts(move: Move) -> dict[str, Any]:
    """Who signs in finds what the visit put into the cart, and what was in the account's own before."""
    return {"cart": Counter(move.visit.get("cart", {})) + Counter(move.held.get("cart", {}))}


@app.get("/")
def shop(who: Somebody, request: Request, thanks: int | None = None) -> HTMLResponse:
    cart = auth.data(request).get("cart") if who else None
    email = who.email if isinstance(who, Principal) else None
    html = PAGE.render(goods=GOODS, cart=cart, email=email, thanks=thanks if email else None, money=money)
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})


@app.post("/cart")
def add(_: Anybody, request: Request, item: Annotated[str, Form()]) -> RedirectResponse:
    if item in GOODS:
        count = auth.data(request).get("cart", {}).get(item, 0)
        auth.set_data(request, {"cart": {item: min(count + 1, 99)}})
    return RedirectResponse("/", 303)


@app.post("/order")
def order(who: Customer, request: Request) -> RedirectResponse:
    cart = auth.data(request).get("cart")
    if not cart:
        return RedirectResponse("/", 303)
    orders.append((who.account_id, cart))
    auth.set_data(request, {"cart": None})
    return RedirectResponse(f"/?thanks={len(orders)}", 303)


def money(cents: int) -> str:
    return f"€ {cents / 100:.2f}"
