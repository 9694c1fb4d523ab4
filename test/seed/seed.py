"""The seed's own Python code (its text has lost the indentation, which is restored here).

Run: seed.py FUNCTION JSON-ARGUMENTS; prints the result as JSON.
"""

import json
import os
import secrets
import sys
from datetime import datetime

import redis

r = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


def create_user_profile(user_id: int, profile: dict):
    r.hset(f"user:{user_id}", mapping={
        'username': profile['username'],
        'email': profile['email'],
        'first_name': profile.get('first_name', ''),
        'last_name': profile.get('last_name', ''),
        'joined': datetime.now().isoformat(),
        'avatar': profile.get('avatar', ''),
        'verified': 'false',
        'bio': profile.get('bio', '')
    })


def get_user_profile(user_id: int) -> dict | None:
    profile = r.hgetall(f"user:{user_id}")
    return profile if profile else None


def update_user_profile(user_id: int, updates: dict):
    r.hset(f"user:{user_id}", mapping=updates)


def create_product(product_id: int, product: dict):
    r.hset(f"product:{product_id}", mapping={
        'name': product['name'],
        'price': str(product['price']),
        'stock': str(product['stock']),
        'category': product['category'],
        'sku': product['sku'],
        'description': product.get('description', ''),
        'rating': str(product.get('rating', 0))
    })


def get_product(product_id: int) -> dict | None:
    product = r.hgetall(f"product:{product_id}")
    if not product:
        return None
    return {
        **product,
        'price': float(product['price']),
        'stock': int(product['stock']),
        'rating': float(product['rating'])
    }


def purchase_product(product_id: int, quantity: int = 1) -> dict:
    stock = r.hget(f"product:{product_id}", 'stock')
    if int(stock) < quantity:
        raise ValueError("Insufficient stock")
    new_stock = r.hincrby(f"product:{product_id}", 'stock', -quantity)
    return {'remaining_stock': new_stock}


def create_session(user_id: str, username: str, ip_address: str, user_agent: str = '') -> str:
    session_id = secrets.token_hex(32)
    now = datetime.now().isoformat()
    r.hset(f"session:{session_id}", mapping={
        'user_id': user_id,
        'username': username,
        'login_time': now,
        'last_activity': now,
        'ip_address': ip_address,
        'user_agent': user_agent
    })
    r.expire(f"session:{session_id}", 86400)  # 24 hours
    return session_id


def validate_session(session_id: str) -> dict | None:
    if not r.hexists(f"session:{session_id}", 'user_id'):
        return None
    # Update last activity and refresh TTL
    r.hset(f"session:{session_id}", 'last_activity', datetime.now().isoformat())
    r.expire(f"session:{session_id}", 86400)
    return r.hgetall(f"session:{session_id}")


def destroy_session(session_id: str):
    r.delete(f"session:{session_id}")


def add_to_cart(user_id: int, product_id: int, quantity: int = 1):
    r.hincrby(f"cart:user:{user_id}", f"product:{product_id}", quantity)
    r.expire(f"cart:user:{user_id}", 86400 * 7)  # 7 days


def get_cart(user_id: int) -> list:
    cart = r.hgetall(f"cart:user:{user_id}")
    return [
        {'product_id': key.replace('product:', ''), 'quantity': int(qty)}
        for key, qty in cart.items()
    ]


def update_cart_item(user_id: int, product_id: int, quantity: int):
    if quantity <= 0:
        r.hdel(f"cart:user:{user_id}", f"product:{product_id}")
    else:
        r.hset(f"cart:user:{user_id}", f"product:{product_id}", quantity)


def remove_from_cart(user_id: int, product_id: int):
    r.hdel(f"cart:user:{user_id}", f"product:{product_id}")


def clear_cart(user_id: int):
    r.delete(f"cart:user:{user_id}")


print(json.dumps(globals()[sys.argv[1]](*json.loads(sys.argv[2]))))
